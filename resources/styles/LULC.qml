<!DOCTYPE qgis PUBLIC 'http://mrcc.com/qgis.dtd' 'SYSTEM'>
<qgis maxScale="0" styleCategories="Symbology|Rendering" hasScaleBasedVisibilityFlag="0" minScale="1e+08" version="3.22.16-Białowieża">
  <pipe-data-defined-properties>
    <Option type="Map">
      <Option type="QString" name="name" value=""/>
      <Option name="properties"/>
      <Option type="QString" name="type" value="collection"/>
    </Option>
  </pipe-data-defined-properties>
  <pipe>
    <provider>
      <resampling zoomedInResamplingMethod="nearestNeighbour" enabled="false" zoomedOutResamplingMethod="nearestNeighbour" maxOversampling="2"/>
    </provider>
    <rasterrenderer type="paletted" alphaBand="-1" band="1" opacity="1" nodataColor="">
      <minMaxOrigin>
        <limits>None</limits>
        <extent>WholeRaster</extent>
        <statAccuracy>Estimated</statAccuracy>
        <cumulativeCutLower>0.02</cumulativeCutLower>
        <cumulativeCutUpper>0.98</cumulativeCutUpper>
        <stdDevFactor>2</stdDevFactor>
      </minMaxOrigin>
      <colorPalette>
        <paletteEntry label="Water" color="#1a5bab" value="1" alpha="255"/>
        <paletteEntry label="Trees" color="#358221" value="2" alpha="255"/>
        <paletteEntry label="Flooded vegetation" color="#87d19e" value="3" alpha="255"/>
        <paletteEntry label="Crops" color="#ffdb5c" value="4" alpha="255"/>
        <paletteEntry label="Built area" color="#ed022a" value="5" alpha="255"/>
        <paletteEntry label="Bare ground" color="#ede9e4" value="6" alpha="255"/>
        <paletteEntry label="Snow/ice" color="#f2faff" value="7" alpha="255"/>
        <paletteEntry label="Clouds" color="#c8c8c8" value="8" alpha="255"/>
        <paletteEntry label="Rangeland" color="#c6ad8d" value="9" alpha="255"/>
      </colorPalette>
    </rasterrenderer>
    <brightnesscontrast brightness="0" contrast="0" gamma="1"/>
    <huesaturation grayscaleMode="0" colorizeOn="0" colorizeGreen="128" saturation="0" colorizeStrength="100" colorizeBlue="128" invertColors="0" colorizeRed="255"/>
    <rasterresampler maxOversampling="2"/>
    <resamplingStage>resamplingFilter</resamplingStage>
  </pipe>
  <blendMode>0</blendMode>
</qgis>
