<?xml version="1.0" encoding="utf-8"?>
<!DOCTYPE TS>
<TS version="2.1" language="de" sourcelanguage="en">
<context>
    <name>Terrane</name>
    <message>
        <source>Generate elevation (DEM)</source>
        <translation>Höhen erzeugen (DEM)</translation>
    </message>
    <message>
        <source>Generate land cover (LULC)</source>
        <translation>Landbedeckung erzeugen (LULC)</translation>
    </message>
    <message>
        <source>Terrane</source>
        <translation>Terrane</translation>
    </message>
    <message>
        <source>{layer} is a picture from a web service, without measured values. Save it as a GeoTIFF first (layer menu: Export, Save As).</source>
        <translation>{layer} ist ein Bild aus einem Webdienst, ohne Messwerte. Speichern Sie es zuerst als GeoTIFF (Layermenü: Export, Speichern als).</translation>
    </message>
    <message>
        <source>{layer} cannot be read: {reason}</source>
        <translation>{layer} kann nicht gelesen werden: {reason}</translation>
    </message>
    <message>
        <source>its provider gave no pixels.</source>
        <translation>der Datenanbieter lieferte keine Pixel.</translation>
    </message>
    <message>
        <source>{layer} has no CRS; assign one first (layer menu: Layer CRS).</source>
        <translation>{layer} hat kein KBS; weisen Sie zuerst eines zu (Layermenü: Layer-KBS).</translation>
    </message>
    <message>
        <source>{layer} has no band {band}.</source>
        <translation>{layer} hat keinen Kanal {band}.</translation>
    </message>
    <message>
        <source>{layer} cannot be read; repair its data source first.</source>
        <translation>{layer} kann nicht gelesen werden; reparieren Sie zuerst die Datenquelle.</translation>
    </message>
    <message>
        <source>{count} layers</source>
        <translation>{count} Layer</translation>
    </message>
    <message>
        <source>The area is empty.</source>
        <translation>Der Bereich ist leer.</translation>
    </message>
    <message>
        <source>There is no polygon to generate in.</source>
        <translation>Es gibt kein Polygon, in dem erzeugt werden könnte.</translation>
    </message>
    <message>
        <source>No polygon is selected; select one or more in a polygon layer.</source>
        <translation>Es ist kein Polygon gewählt; wählen Sie eines oder mehrere in einem Polygonlayer.</translation>
    </message>
    <message>
        <source>The model</source>
        <translation>Das Modell</translation>
    </message>
    <message>
        <source>Model</source>
        <translation>Modell</translation>
    </message>
    <message>
        <source>Options: folders, device, threads</source>
        <translation>Optionen: Ordner, Gerät, Threads</translation>
    </message>
    <message>
        <source>No model yet</source>
        <translation>Noch kein Modell</translation>
    </message>
    <message>
        <source>Add model…</source>
        <translation>Modell hinzufügen…</translation>
    </message>
    <message>
        <source>There is no model yet; add one to begin.</source>
        <translation>Es gibt noch kein Modell; fügen Sie eines hinzu, um zu beginnen.</translation>
    </message>
    <message>
        <source>Terrane: looking for devices</source>
        <translation>Terrane: sucht Geräte</translation>
    </message>
    <message>
        <source>Install</source>
        <translation>Installieren</translation>
    </message>
    <message>
        <source>ONNX Runtime, which runs the models, is not installed yet (80 MB).</source>
        <translation>ONNX Runtime, das die Modelle ausführt, ist noch nicht installiert (80 MB).</translation>
    </message>
    <message>
        <source>Cancel</source>
        <translation>Abbrechen</translation>
    </message>
    <message>
        <source>Get TerraMind</source>
        <translation>TerraMind holen</translation>
    </message>
    <message>
        <source>Checkpoints (*.pt *.pth *.ckpt);;All files (*)</source>
        <translation>Checkpoints (*.pt *.pth *.ckpt);;Alle Dateien (*)</translation>
    </message>
    <message>
        <source>The model&apos;s own name</source>
        <translation>Der Name des Modells selbst</translation>
    </message>
    <message>
        <source>Add model</source>
        <translation>Modell hinzufügen</translation>
    </message>
    <message>
        <source>Checkpoint</source>
        <translation>Checkpoint</translation>
    </message>
    <message>
        <source>Tokenizers folder</source>
        <translation>Ordner der Tokenizer</translation>
    </message>
    <message>
        <source>Can make</source>
        <translation>Kann erzeugen</translation>
    </message>
    <message>
        <source>Name</source>
        <translation>Name</translation>
    </message>
    <message>
        <source>IBM and ESA publish TerraMind&apos;s weights under the Apache 2.0 licence at {link}.</source>
        <translation>IBM und ESA veröffentlichen die Gewichte von TerraMind unter der Lizenz Apache 2.0 auf {link}.</translation>
    </message>
    <message>
        <source>1. Download one checkpoint, TerraMind_v1_….pt: {sizes}. Larger ones are better and slower.</source>
        <translation>1. Laden Sie einen Checkpoint herunter, TerraMind_v1_….pt: {sizes}. Größere sind besser und langsamer.</translation>
    </message>
    <message>
        <source>2. Download the tokenizer of everything you want to make, TerraMind_Tokenizer_DEM.pt and so on (up to 1.2 GB each), into one folder.</source>
        <translation>2. Laden Sie den Tokenizer von allem, was Sie erzeugen möchten, in einen Ordner: TerraMind_Tokenizer_DEM.pt und so weiter (je bis zu 1,2 GB).</translation>
    </message>
    <message>
        <source>3. Choose both below. Terrane makes a model of them in seconds, without PyTorch; nothing is sent anywhere.</source>
        <translation>3. Wählen Sie unten beides. Terrane macht daraus in Sekunden ein Modell, ohne PyTorch; nichts wird verschickt.</translation>
    </message>
    <message>
        <source>There is no file {path}.</source>
        <translation>Es gibt keine Datei {path}.</translation>
    </message>
    <message>
        <source>There is no folder {path}.</source>
        <translation>Es gibt keinen Ordner {path}.</translation>
    </message>
    <message>
        <source>A checkpoint ends in .pt, .pth or .ckpt.</source>
        <translation>Ein Checkpoint endet auf .pt, .pth oder .ckpt.</translation>
    </message>
    <message>
        <source>Terrane: adding a model</source>
        <translation>Terrane: fügt ein Modell hinzu</translation>
    </message>
    <message>
        <source>Terrane stopped because of a bug; the log has the details for a report.</source>
        <translation>Terrane hat wegen eines Programmfehlers angehalten; das Protokoll enthält die Einzelheiten für eine Meldung.</translation>
    </message>
    <message>
        <source>Automatic</source>
        <translation>Automatisch</translation>
    </message>
    <message>
        <source>CPU</source>
        <translation>CPU</translation>
    </message>
    <message>
        <source>All but one</source>
        <translation>Alle bis auf einen</translation>
    </message>
    <message>
        <source>Models folder</source>
        <translation>Ordner der Modelle</translation>
    </message>
    <message>
        <source>Runtime folder</source>
        <translation>Ordner der Laufzeit</translation>
    </message>
    <message>
        <source>Device</source>
        <translation>Gerät</translation>
    </message>
    <message>
        <source>CPU threads</source>
        <translation>CPU-Threads</translation>
    </message>
    <message>
        <source>A new runtime folder is used when QGIS starts the next time.</source>
        <translation>Ein neuer Laufzeitordner gilt ab dem nächsten Start von QGIS.</translation>
    </message>
    <message>
        <source>Generate</source>
        <translation>Erzeugen</translation>
    </message>
    <message>
        <source>Map view</source>
        <translation>Kartenansicht</translation>
    </message>
    <message>
        <source>What the map shows now</source>
        <translation>Was die Karte gerade zeigt</translation>
    </message>
    <message>
        <source>Whole layer</source>
        <translation>Ganzer Layer</translation>
    </message>
    <message>
        <source>Everything the input covers</source>
        <translation>Alles, was die Eingabe abdeckt</translation>
    </message>
    <message>
        <source>Selection</source>
        <translation>Auswahl</translation>
    </message>
    <message>
        <source>Inside the selected polygons of a polygon layer</source>
        <translation>In den gewählten Polygonen eines Polygonlayers</translation>
    </message>
    <message>
        <source>Draw…</source>
        <translation>Zeichnen…</translation>
    </message>
    <message>
        <source>Drag a rectangle on the map; Esc cancels</source>
        <translation>Ein Rechteck auf der Karte aufziehen; Esc bricht ab</translation>
    </message>
    <message>
        <source>Drag a rectangle on the map.</source>
        <translation>Ziehen Sie ein Rechteck auf der Karte auf.</translation>
    </message>
    <message>
        <source>Bands of {name}</source>
        <translation>Kanäle von {name}</translation>
    </message>
    <message>
        <source>Band</source>
        <translation>Kanal</translation>
    </message>
    <message>
        <source>Comes from</source>
        <translation>Kommt aus</translation>
    </message>
    <message>
        <source>no offset known</source>
        <translation>kein Versatz bekannt</translation>
    </message>
    <message>
        <source>Automatic ({known})</source>
        <translation>Automatisch ({known})</translation>
    </message>
    <message>
        <source>None: values are reflectance × 10,000</source>
        <translation>Keiner: Werte sind Reflexion × 10.000</translation>
    </message>
    <message>
        <source>−1000: products since January 2022</source>
        <translation>−1000: Produkte seit Januar 2022</translation>
    </message>
    <message>
        <source>Other</source>
        <translation>Anderer</translation>
    </message>
    <message>
        <source>What is added to each digital number to get reflectance × 10,000</source>
        <translation>Was zu jedem Digitalwert addiert wird, um Reflexion × 10.000 zu erhalten</translation>
    </message>
    <message>
        <source>Image type</source>
        <translation>Art des Bildes</translation>
    </message>
    <message>
        <source>Offset</source>
        <translation>Versatz</translation>
    </message>
    <message>
        <source>Bands that keep “Automatic” are matched by name, wavelength or order.</source>
        <translation>Kanäle mit „Automatisch“ werden nach Name, Wellenlänge oder Reihenfolge zugeordnet.</translation>
    </message>
    <message>
        <source>Automatic: {band}</source>
        <translation>Automatisch: {band}</translation>
    </message>
    <message>
        <source>Say which band is {bands}.</source>
        <translation>Sagen Sie, welcher Kanal {bands} ist.</translation>
    </message>
    <message>
        <source>{bands} come from the same band.</source>
        <translation>{bands} kommen aus demselben Kanal.</translation>
    </message>
    <message>
        <source>The starter model is for trying things out.</source>
        <translation>Das Startmodell dient dem Ausprobieren.</translation>
    </message>
    <message>
        <source>Get TerraMind…</source>
        <translation>TerraMind holen…</translation>
    </message>
    <message>
        <source>From</source>
        <translation>Von</translation>
    </message>
    <message>
        <source>Over</source>
        <translation>Wo</translation>
    </message>
    <message>
        <source>Into</source>
        <translation>Was</translation>
    </message>
    <message>
        <source>This model does not make {target}; choose another model above.</source>
        <translation>Dieses Modell erzeugt {target} nicht; wählen Sie oben ein anderes.</translation>
    </message>
    <message>
        <source>Whole scene</source>
        <translation>Ganze Szene</translation>
    </message>
    <message>
        <source>Tick what to make.</source>
        <translation>Kreuzen Sie an, was erzeugt werden soll.</translation>
    </message>
    <message>
        <source>about {time}</source>
        <translation>etwa {time}</translation>
    </message>
    <message>
        <source>This folder does not exist or cannot be written.</source>
        <translation>Diesen Ordner gibt es nicht, oder er ist nicht beschreibbar.</translation>
    </message>
    <message>
        <source>{files} already there; choose another folder, or replace files that exist.</source>
        <translation>{files} schon vorhanden; wählen Sie einen anderen Ordner, oder ersetzen Sie vorhandene Dateien.</translation>
    </message>
    <message>
        <source>Terrane: {targets} of {scene}</source>
        <translation>Terrane: {targets} von {scene}</translation>
    </message>
    <message>
        <source>{layers} added · {time}</source>
        <translation>{layers} hinzugefügt · {time}</translation>
    </message>
    <message>
        <source>Several single-band layers</source>
        <translation>Mehrere einkanalige Layer</translation>
    </message>
    <message>
        <source>Tick the layers that hold the bands of one scene. They may differ in resolution; which is which is told by their names.</source>
        <translation>Kreuzen Sie die Layer an, die die Kanäle einer Szene enthalten. Ihre Auflösung darf verschieden sein; welcher welcher ist, sagt ihr Name.</translation>
    </message>
    <message>
        <source>Quality</source>
        <translation>Qualität</translation>
    </message>
    <message>
        <source>Expert</source>
        <translation>Für Kenner</translation>
    </message>
    <message>
        <source>Exact results are drawn: the same seed draws the same result again.</source>
        <translation>Genaue Ergebnisse werden gezogen: dieselbe Zufallszahl zieht wieder dasselbe Ergebnis.</translation>
    </message>
    <message>
        <source>The model&apos;s</source>
        <translation>Das des Modells</translation>
    </message>
    <message>
        <source>The layer&apos;s</source>
        <translation>Das des Layers</translation>
    </message>
    <message>
        <source>Whose pixels the results have. They are the same where the layer has the model&apos;s pixel size in metres; else results are warped to the layer&apos;s pixels.</source>
        <translation>Wessen Pixel die Ergebnisse haben. Sie sind gleich, wenn der Layer die Pixelgröße des Modells in Metern hat; sonst werden die Ergebnisse auf die Pixel des Layers umgerechnet.</translation>
    </message>
    <message>
        <source>Tiles that run through the model at once: more need more memory.</source>
        <translation>Kacheln, die zugleich durch das Modell laufen: mehr brauchen mehr Speicher.</translation>
    </message>
    <message>
        <source>Seed</source>
        <translation>Zufallszahl</translation>
    </message>
    <message>
        <source>Pixel grid</source>
        <translation>Pixelraster</translation>
    </message>
    <message>
        <source>Tiles at once</source>
        <translation>Kacheln zugleich</translation>
    </message>
    <message>
        <source>Quality: {preset}</source>
        <translation>Qualität: {preset}</translation>
    </message>
    <message>
        <source>Save</source>
        <translation>Speichern</translation>
    </message>
    <message>
        <source>Folder for the results</source>
        <translation>Ordner für die Ergebnisse</translation>
    </message>
    <message>
        <source>[Temporary layers]</source>
        <translation>[Temporäre Layer]</translation>
    </message>
    <message>
        <source>Empty: temporary layers, gone when QGIS closes.</source>
        <translation>Leer: temporäre Layer, die mit QGIS verschwinden.</translation>
    </message>
    <message>
        <source>Replace files that exist</source>
        <translation>Vorhandene Dateien ersetzen</translation>
    </message>
    <message>
        <source>temporary layers</source>
        <translation>temporäre Layer</translation>
    </message>
    <message>
        <source>Save: {place}</source>
        <translation>Speichern: {place}</translation>
    </message>
    <message>
        <source>Getting ready…</source>
        <translation>Bereitet vor…</translation>
    </message>
    <message>
        <source>Writing layers…</source>
        <translation>Schreibt Layer…</translation>
    </message>
    <message>
        <source>{time} left</source>
        <translation>noch {time}</translation>
    </message>
    <message>
        <source>Stopping…</source>
        <translation>Hält an…</translation>
    </message>
    <message>
        <source>The layer that holds the satellite image.</source>
        <translation>Der Layer, der das Satellitenbild enthält.</translation>
    </message>
    <message>
        <source>Other inputs: several layers, or a product on disk</source>
        <translation>Andere Eingaben: mehrere Layer, oder ein Produkt auf der Platte</translation>
    </message>
    <message>
        <source>Several single-band layers…</source>
        <translation>Mehrere einkanalige Layer…</translation>
    </message>
    <message>
        <source>Open product folder (.SAFE)…</source>
        <translation>Produktordner öffnen (.SAFE)…</translation>
    </message>
    <message>
        <source>Open product file (.zip, STAC item)…</source>
        <translation>Produktdatei öffnen (.zip, STAC-Item)…</translation>
    </message>
    <message>
        <source>Open product folder (.SAFE)</source>
        <translation>Produktordner öffnen (.SAFE)</translation>
    </message>
    <message>
        <source>Open product</source>
        <translation>Produkt öffnen</translation>
    </message>
    <message>
        <source>Products (*.zip *.json);;All files (*)</source>
        <translation>Produkte (*.zip *.json);;Alle Dateien (*)</translation>
    </message>
    <message>
        <source>Add a Sentinel-2 image to the project, or drop a file here.</source>
        <translation>Fügen Sie dem Projekt ein Sentinel-2-Bild hinzu, oder legen Sie eine Datei hier ab.</translation>
    </message>
    <message>
        <source>{count} bands</source>
        <translation>{count} Kanäle</translation>
    </message>
    <message>
        <source>not recognised</source>
        <translation>nicht erkannt</translation>
    </message>
    <message>
        <source>Change…</source>
        <translation>Ändern…</translation>
    </message>
    <message>
        <source>Terrane: elevation, land cover and more from a satellite image</source>
        <translation>Terrane: Höhen, Landbedeckung und mehr aus einem Satellitenbild</translation>
    </message>
    <message>
        <source>{tiles} tiles in {time} on {device}</source>
        <translation>{tiles} Kacheln in {time} auf {device}</translation>
    </message>
    <message>
        <source>Generate elevation, land cover and NDVI</source>
        <translation>Höhen, Landbedeckung und NDVI erzeugen</translation>
    </message>
    <message>
        <source>Generates elevation, land cover or NDVI from a Sentinel-2 image with a TerraMind model.</source>
        <translation>Erzeugt Höhen, Landbedeckung oder NDVI aus einem Sentinel-2-Bild mit einem TerraMind-Modell.</translation>
    </message>
    <message>
        <source>terramind,sentinel-2,dem,elevation,land cover,lulc,ndvi,deep learning,generate,ai</source>
        <translation>terramind,sentinel-2,dem,höhenmodell,landbedeckung,lulc,ndvi,deep learning,erzeugen,ki</translation>
    </message>
    <message>
        <source>Generates other data of the same place from a Sentinel-2 image, on this computer, with a TerraMind model.</source>
        <translation>Erzeugt auf diesem Rechner aus einem Sentinel-2-Bild andere Daten desselben Orts, mit einem TerraMind-Modell.</translation>
    </message>
    <message>
        <source>The image has the 12 bands of a level-2A product at 10 m: as one layer, or as several single-band layers. Bands are told by name, wavelength or order; the offset of newer products is read from the product&apos;s metadata, or given.</source>
        <translation>Das Bild hat die 12 Kanäle eines Level-2A-Produkts in 10 m: als ein Layer, oder als mehrere einkanalige Layer. Kanäle werden an Name, Wellenlänge oder Reihenfolge erkannt; der Versatz neuerer Produkte wird aus den Metadaten des Produkts gelesen oder angegeben.</translation>
    </message>
    <message>
        <source>Results are synthetic: made by a model, not measured. Their metadata say so, and name model, preset and seed. Elevations are metres above the EGM2008 geoid, of the surface with trees and roofs. The starter model is for trying things out.</source>
        <translation>Ergebnisse sind synthetisch: von einem Modell gemacht, nicht gemessen. Ihre Metadaten sagen das und nennen Modell, Qualität und Zufallszahl. Höhen sind Meter über dem Geoid EGM2008, der Oberfläche mit Bäumen und Dächern. Das Startmodell dient dem Ausprobieren.</translation>
    </message>
    <message>
        <source>In scripts: TARGETS is a list of DEM, LULC and NDVI; a target without an output goes to a temporary file.</source>
        <translation>In Skripten: TARGETS ist eine Liste aus DEM, LULC und NDVI; ein Ziel ohne Ausgabe kommt in eine temporäre Datei.</translation>
    </message>
    <message>
        <source>Satellite image</source>
        <translation>Satellitenbild</translation>
    </message>
    <message>
        <source>One layer that holds all bands. Leave it empty when the bands are separate layers.</source>
        <translation>Ein Layer, der alle Kanäle enthält. Leer lassen, wenn die Kanäle einzelne Layer sind.</translation>
    </message>
    <message>
        <source>Single-band layers of one image</source>
        <translation>Einkanalige Layer eines Bildes</translation>
    </message>
    <message>
        <source>In place of one layer: the bands as separate layers, in any order; their names say which is which.</source>
        <translation>Anstelle eines Layers: die Kanäle als einzelne Layer, in beliebiger Reihenfolge; ihre Namen sagen, welcher welcher ist.</translation>
    </message>
    <message>
        <source>DEM: elevation. LULC: land cover. NDVI: vegetation index.</source>
        <translation>DEM: Höhen. LULC: Landbedeckung. NDVI: Vegetationsindex.</translation>
    </message>
    <message>
        <source>Extent</source>
        <translation>Ausdehnung</translation>
    </message>
    <message>
        <source>Where to generate; empty: the whole image.</source>
        <translation>Wo erzeugt wird; leer: das ganze Bild.</translation>
    </message>
    <message>
        <source>Polygons</source>
        <translation>Polygone</translation>
    </message>
    <message>
        <source>Generate inside these polygons only.</source>
        <translation>Nur in diesen Polygonen erzeugen.</translation>
    </message>
    <message>
        <source>A model&apos;s id, or the path of a model pack.</source>
        <translation>Die Kennung eines Modells, oder der Pfad eines Modellpakets.</translation>
    </message>
    <message>
        <source>exact: as the published model does it. balanced: the likeliest result. fast: for a first look.</source>
        <translation>exact: wie das veröffentlichte Modell. balanced: das wahrscheinlichste Ergebnis. fast: für einen ersten Blick.</translation>
    </message>
    <message>
        <source>Used when {target} is among what is generated.</source>
        <translation>Gilt, wenn {target} erzeugt wird.</translation>
    </message>
    <message>
        <source>The same seed draws the same result again.</source>
        <translation>Dieselbe Zufallszahl zieht wieder dasselbe Ergebnis.</translation>
    </message>
    <message>
        <source>Kind of image</source>
        <translation>Art des Bildes</translation>
    </message>
    <message>
        <source>What the image is, where its bands do not tell.</source>
        <translation>Was das Bild ist, wenn seine Kanäle es nicht sagen.</translation>
    </message>
    <message>
        <source>Reflectance offset</source>
        <translation>Versatz der Reflexion</translation>
    </message>
    <message>
        <source>What is added to each value: −1000 for products since January 2022 that still carry the offset, 0 for others. Empty: as the metadata say.</source>
        <translation>Was zu jedem Wert addiert wird: −1000 für Produkte seit Januar 2022, die den Versatz noch enthalten, 0 für andere. Leer: wie es die Metadaten sagen.</translation>
    </message>
    <message>
        <source>Pixels of the results</source>
        <translation>Pixel der Ergebnisse</translation>
    </message>
    <message>
        <source>model: at the model&apos;s pixel size. input: warped onto the image&apos;s own pixels.</source>
        <translation>model: in der Pixelgröße des Modells. input: umgerechnet auf die Pixel des Bildes.</translation>
    </message>
    <message>
        <source>ONNX Runtime is not installed yet: open the Terrane dock and press Install.</source>
        <translation>ONNX Runtime ist noch nicht installiert: öffnen Sie das Bedienfeld von Terrane und drücken Sie Installieren.</translation>
    </message>
    <message>
        <source>Name a satellite image, or the layers of its bands.</source>
        <translation>Nennen Sie ein Satellitenbild, oder die Layer seiner Kanäle.</translation>
    </message>
    <message>
        <source>Name either one satellite image or the layers of its bands, not both.</source>
        <translation>Nennen Sie entweder ein Satellitenbild oder die Layer seiner Kanäle, nicht beides.</translation>
    </message>
    <message>
        <source>Name at least one of {targets}.</source>
        <translation>Nennen Sie mindestens eines von {targets}.</translation>
    </message>
    <message>
        <source>Generated by Terrane {version} with the model {model}, preset {preset}, seed {seed}.</source>
        <translation>Erzeugt von Terrane {version} mit dem Modell {model}, Qualität {preset}, Zufallszahl {seed}.</translation>
    </message>
    <message>
        <source>Synthetic: generated by a model from {scene}, not measured.</source>
        <translation>Synthetisch: von einem Modell aus {scene} erzeugt, nicht gemessen.</translation>
    </message>
    <message>
        <source>Vertical reference: EGM2008 geoid (EPSG:3855), as in the Copernicus DEM that the model was trained on.</source>
        <translation>Höhenbezug: Geoid EGM2008 (EPSG:3855), wie im Copernicus-Höhenmodell, mit dem das Modell trainiert wurde.</translation>
    </message>
    <message>
        <source>Model {model}, pack {hash}; preset {preset}, seed {seed}; {grid}.</source>
        <translation>Modell {model}, Paket {hash}; Qualität {preset}, Zufallszahl {seed}; {grid}.</translation>
    </message>
    <message>
        <source>Hillshade (generated)</source>
        <translation>Schummerung (erzeugt)</translation>
    </message>
    <message>
        <source>QGIS&apos;s own Python was not found, so ONNX Runtime cannot be installed from here.</source>
        <translation>Das Python von QGIS wurde nicht gefunden; ONNX Runtime kann von hier aus nicht installiert werden.</translation>
    </message>
    <message>
        <source>The folder {folder} cannot be written: {reason}.</source>
        <translation>Der Ordner {folder} ist nicht beschreibbar: {reason}.</translation>
    </message>
    <message>
        <source>Downloading ONNX Runtime…</source>
        <translation>Lädt ONNX Runtime herunter…</translation>
    </message>
    <message>
        <source>Downloading {package}…</source>
        <translation>Lädt {package} herunter…</translation>
    </message>
    <message>
        <source>Installing…</source>
        <translation>Installiert…</translation>
    </message>
    <message>
        <source>{python} could not be started.</source>
        <translation>{python} konnte nicht gestartet werden.</translation>
    </message>
    <message>
        <source>Cancelled; nothing was installed.</source>
        <translation>Abgebrochen; nichts wurde installiert.</translation>
    </message>
    <message>
        <source>Trying it out…</source>
        <translation>Probiert es aus…</translation>
    </message>
    <message>
        <source>QGIS's Python has no pip. On Debian or Ubuntu install it with “sudo apt install python3-pip”, then press Install again.</source>
        <translation>Dem Python von QGIS fehlt pip. Installieren Sie es unter Debian oder Ubuntu mit „sudo apt install python3-pip“, und drücken Sie dann noch einmal Installieren.</translation>
    </message>
    <message>
        <source>ONNX Runtime was downloaded but does not start on this computer; the log has the details.</source>
        <translation>ONNX Runtime wurde heruntergeladen, startet aber auf diesem Rechner nicht; das Protokoll enthält die Einzelheiten.</translation>
    </message>
    <message>
        <source>There is not enough disk space for ONNX Runtime (about 80 MB).</source>
        <translation>Für ONNX Runtime ist nicht genug Platz auf der Platte (etwa 80 MB).</translation>
    </message>
    <message>
        <source>The package index could not be reached; check the network connection and press Install again.</source>
        <translation>Das Paketverzeichnis war nicht erreichbar; prüfen Sie die Netzverbindung, und drücken Sie noch einmal Installieren.</translation>
    </message>
    <message>
        <source>There is no ONNX Runtime for this Python ({version}) and system.</source>
        <translation>Für dieses Python ({version}) und System gibt es kein ONNX Runtime.</translation>
    </message>
    <message>
        <source>Installing ONNX Runtime failed; the log has the details.</source>
        <translation>ONNX Runtime konnte nicht installiert werden; das Protokoll enthält die Einzelheiten.</translation>
    </message>
    <message>
        <source>offset {value}</source>
        <translation>Versatz {value}</translation>
    </message>
    <message>
        <source>no offset</source>
        <translation>kein Versatz</translation>
    </message>
    <message>
        <source>Elevation</source>
        <translation>Höhen</translation>
    </message>
    <message>
        <source>Elevation (DEM)</source>
        <translation>Höhen (DEM)</translation>
    </message>
    <message>
        <source>Land cover</source>
        <translation>Landbedeckung</translation>
    </message>
    <message>
        <source>Vegetation index (NDVI)</source>
        <translation>Vegetationsindex (NDVI)</translation>
    </message>
    <message>
        <source>Radar backscatter (S1 GRD)</source>
        <translation>Radarrückstreuung (S1 GRD)</translation>
    </message>
    <message>
        <source>Radar backscatter (S1 RTC)</source>
        <translation>Radarrückstreuung (S1 RTC)</translation>
    </message>
    <message>
        <source>Optical (Sentinel-2 L2A)</source>
        <translation>Optisch (Sentinel-2 L2A)</translation>
    </message>
    <message>
        <source>Optical (Sentinel-2 L1C)</source>
        <translation>Optisch (Sentinel-2 L1C)</translation>
    </message>
    <message>
        <source>Colour image (RGB)</source>
        <translation>Farbbild (RGB)</translation>
    </message>
    <message>
        <source>Elevation (generated)</source>
        <translation>Höhen (erzeugt)</translation>
    </message>
    <message>
        <source>Land cover (generated)</source>
        <translation>Landbedeckung (erzeugt)</translation>
    </message>
    <message>
        <source>NDVI (generated)</source>
        <translation>NDVI (erzeugt)</translation>
    </message>
    <message>
        <source>{modality} (generated)</source>
        <translation>{modality} (erzeugt)</translation>
    </message>
    <message>
        <source>Heights of the surface in metres above the EGM2008 geoid, treetops and roofs included.</source>
        <translation>Höhen der Oberfläche in Metern über dem Geoid EGM2008, Baumkronen und Dächer eingeschlossen.</translation>
    </message>
    <message>
        <source>Nine classes of ESRI&apos;s 10 m land-cover scheme.</source>
        <translation>Neun Klassen der 10-m-Landbedeckung von ESRI.</translation>
    </message>
    <message>
        <source>(near infrared − red) / (near infrared + red), from −1 to 1.</source>
        <translation>(nahes Infrarot − Rot) / (nahes Infrarot + Rot), von −1 bis 1.</translation>
    </message>
    <message>
        <source>Water</source>
        <translation>Wasser</translation>
    </message>
    <message>
        <source>Trees</source>
        <translation>Bäume</translation>
    </message>
    <message>
        <source>Flooded vegetation</source>
        <translation>Überflutete Vegetation</translation>
    </message>
    <message>
        <source>Crops</source>
        <translation>Acker</translation>
    </message>
    <message>
        <source>Built area</source>
        <translation>Bebaute Fläche</translation>
    </message>
    <message>
        <source>Bare ground</source>
        <translation>Offener Boden</translation>
    </message>
    <message>
        <source>Snow/ice</source>
        <translation>Schnee/Eis</translation>
    </message>
    <message>
        <source>Clouds</source>
        <translation>Wolken</translation>
    </message>
    <message>
        <source>Rangeland</source>
        <translation>Gras und Gebüsch</translation>
    </message>
    <message>
        <source>Exact</source>
        <translation>Genau</translation>
    </message>
    <message>
        <source>As the published model does it: with drawn texture. Slowest.</source>
        <translation>Wie das veröffentlichte Modell: mit gezogener Textur. Am langsamsten.</translation>
    </message>
    <message>
        <source>Balanced</source>
        <translation>Ausgewogen</translation>
    </message>
    <message>
        <source>The likeliest result, a little smoother. A good default.</source>
        <translation>Das wahrscheinlichste Ergebnis, etwas glatter. Eine gute Voreinstellung.</translation>
    </message>
    <message>
        <source>Fast</source>
        <translation>Schnell</translation>
    </message>
    <message>
        <source>The expected value in one step, with less overlap. For a first look.</source>
        <translation>Der Erwartungswert in einem Schritt, mit weniger Überlappung. Für einen ersten Blick.</translation>
    </message>
    <message>
        <source>less than 1 s</source>
        <translation>weniger als 1 s</translation>
    </message>
    <message>
        <source>{seconds} s</source>
        <translation>{seconds} s</translation>
    </message>
    <message>
        <source>{minutes} min</source>
        <translation>{minutes} min</translation>
    </message>
    <message>
        <source>{hours} h {minutes} min</source>
        <translation>{hours} h {minutes} min</translation>
    </message>
    <message>
        <source>1 tile</source>
        <translation>1 Kachel</translation>
    </message>
    <message>
        <source>{count} tiles</source>
        <translation>{count} Kacheln</translation>
    </message>
    <message>
        <source>{done} of {total} tiles</source>
        <translation>{done} von {total} Kacheln</translation>
    </message>
    <message>
        <source>{width} × {height} m</source>
        <translation>{width} × {height} m</translation>
    </message>
    <message>
        <source>{width} × {height} km</source>
        <translation>{width} × {height} km</translation>
    </message>
    <message>
        <source>{first} and {last}</source>
        <translation>{first} und {last}</translation>
    </message>
    <message>
        <source>all cores</source>
        <translation>alle Kerne</translation>
    </message>
    <message>
        <source>1 core left free</source>
        <translation>1 Kern bleibt frei</translation>
    </message>
    <message>
        <source>{count} cores left free</source>
        <translation>{count} Kerne bleiben frei</translation>
    </message>
    <message>
        <source>Undo</source>
        <translation>Rückgängig</translation>
    </message>
    <message>
        <source>Cancelled; nothing was added.</source>
        <translation>Abgebrochen; nichts wurde hinzugefügt.</translation>
    </message>
    <message>
        <source>Show log</source>
        <translation>Protokoll zeigen</translation>
    </message>
</context>
</TS>
