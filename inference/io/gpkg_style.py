# SPDX-License-Identifier: GPL-2.0-or-later
"""Colours of classes as a QGIS style, and the style stored inside a GeoPackage, where QGIS looks for it."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from contextlib import closing
from xml.sax.saxutils import quoteattr

from .vectors import SOME_DAY

RGBA = tuple[int, int, int, int]

_TABLE = """CREATE TABLE layer_styles (id INTEGER PRIMARY KEY AUTOINCREMENT, f_table_catalog TEXT(256),
f_table_schema TEXT(256), f_table_name TEXT(256), f_geometry_column TEXT(256), styleName TEXT(30),
styleQML TEXT, styleSLD TEXT, useAsDefault BOOLEAN, description TEXT, owner TEXT(30), ui TEXT(30),
update_time DATETIME)"""


def class_style(classes: Sequence[tuple[int, str, RGBA]]) -> str:
    """A QML document that fills polygons by their attribute "class": value, name and colour of each."""
    categories, symbols = [], []
    for place, (value, name, color) in enumerate(classes):
        rgba = ",".join(map(str, color))
        edge = ",".join(str(round(part * 0.6)) for part in color[:3]) + ",255"
        categories.append(
            f'<category symbol="{place}" value="{value}" label={quoteattr(name or str(value))} render="true"/>'
        )
        options = {"color": rgba, "outline_color": edge, "outline_width": "0.1", "style": "solid"}
        words = "".join(f'<prop k="{key}" v="{text}"/>' for key, text in options.items())
        symbols.append(
            f'<symbol type="fill" name="{place}" alpha="1"><layer class="SimpleFill" enabled="1" pass="0" '
            f'locked="0">{words}</layer></symbol>'
        )
    return (
        '<!DOCTYPE qgis PUBLIC "http://mrcc.com/qgis.dtd" "SYSTEM"><qgis styleCategories="Symbology">'
        '<renderer-v2 type="categorizedSymbol" attr="class" enableorderby="0">'
        f"<categories>{''.join(categories)}</categories><symbols>{''.join(symbols)}</symbols>"
        "</renderer-v2></qgis>"
    )


def plain_style(color: RGBA) -> str:
    """A QML document that fills all polygons alike."""
    edge = ",".join(map(str, color[:3])) + ",255"
    options = {"color": ",".join(map(str, color)), "outline_color": edge, "outline_width": "0.2"}
    words = "".join(f'<prop k="{key}" v="{text}"/>' for key, text in {**options, "style": "solid"}.items())
    return (
        '<!DOCTYPE qgis PUBLIC "http://mrcc.com/qgis.dtd" "SYSTEM"><qgis styleCategories="Symbology">'
        '<renderer-v2 type="singleSymbol" enableorderby="0"><symbols><symbol type="fill" name="0" alpha="1">'
        f'<layer class="SimpleFill" enabled="1" pass="0" locked="0">{words}</layer></symbol></symbols>'
        "</renderer-v2></qgis>"
    )


def store_style(path: str, layer: str, qml: str) -> None:
    """Put a style into a GeoPackage as its layer's default. Raises OSError."""
    try:
        with closing(sqlite3.connect(path)) as database, database:
            database.execute(_TABLE)
            database.execute(
                "INSERT INTO gpkg_contents (table_name, data_type, identifier, description, last_change, srs_id) "
                "VALUES ('layer_styles', 'attributes', 'layer_styles', '', ?, 0)",
                (f"{SOME_DAY}T00:00:00.000Z",),
            )
            database.execute(
                "INSERT INTO layer_styles (f_table_catalog, f_table_schema, f_table_name, f_geometry_column, "
                "styleName, styleQML, styleSLD, useAsDefault, description, owner, ui, update_time) "
                "VALUES ('', '', ?, 'geom', 'classes', ?, '', 1, '', '', '', ?)",
                (layer, qml, f"{SOME_DAY}T00:00:00.000Z"),
            )
    except sqlite3.Error as error:
        raise OSError(f"the style could not be stored: {error}") from error
