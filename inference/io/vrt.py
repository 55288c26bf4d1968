# SPDX-License-Identifier: GPL-2.0-or-later
"""Virtual rasters as text: the one description of a read, a warp or an output that both libraries take.

Every virtual band is float32 with NaN where the source has no valid pixel, whatever way the source
says so (nodata, mask, alpha, NaN), so that masks survive warping without a second code path. Pure
text, no I/O. Format: https://gdal.org/drivers/raster/vrt.html and gdalwarper's option block.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Optional
from xml.sax.saxutils import escape, quoteattr

from ..grid import Affine, Grid
from ..types import Size
from .base import OutputSpec

RESAMPLING = {
    "nearest": "NearestNeighbour",
    "bilinear": "Bilinear",
    "cubic": "Cubic",
    "average": "Average",
    "mode": "Mode",
}
"""Names of the protocol to names of the warper."""

GDAL_TYPES = {
    "uint8": "Byte",
    "uint16": "UInt16",
    "int16": "Int16",
    "uint32": "UInt32",
    "int32": "Int32",
    "float32": "Float32",
    "float64": "Float64",
}
"""numpy's names to GDAL's, for the types that an output may have."""

WARP_MEMORY = 64 * 2**20
"""Bytes that one warp may use for its source and target chunk."""


def _numbers(values: Iterable[float]) -> str:
    return ", ".join(repr(float(v)) for v in values)


def inverse(t: Affine) -> Affine:
    """The transform from map to pixel positions."""
    det = t.a * t.e - t.b * t.d
    a, b, d, e = t.e / det, -t.b / det, -t.d / det, t.a / det
    return Affine(a, b, -(a * t.c + b * t.f), d, e, -(d * t.c + e * t.f))


def _place(grid: Grid) -> str:
    return f"<SRS>{escape(grid.crs)}</SRS><GeoTransform>{_numbers(grid.transform.to_gdal())}</GeoTransform>"


def bands_vrt(
    path: str, indexes: Sequence[int], size: Size, grid: Optional[Grid], nodata: Optional[float]
) -> str:
    """Some bands of a raster, in this order, as float32 with NaN for every invalid pixel.

    ``nodata`` names one more value to take as missing, for files that do not declare theirs.
    """
    parts = [f'<VRTDataset rasterXSize="{size.width}" rasterYSize="{size.height}">']
    if grid is not None:
        parts.append(_place(grid))
    extra = "" if nodata is None else f"<NODATA>{nodata!r}</NODATA>"
    # A band inherits NaN as its nodata, and the sources leave out (so keep at NaN) what is masked.
    for band, index in enumerate(indexes, start=1):
        parts.append(
            f'<VRTRasterBand dataType="Float32" band="{band}"><NoDataValue>nan</NoDataValue>'
            f'<ComplexSource><SourceFilename relativeToVRT="0">{escape(path)}</SourceFilename>'
            f"<SourceBand>{index}</SourceBand>{extra}<UseMaskBand>true</UseMaskBand></ComplexSource>"
            "</VRTRasterBand>"
        )
    parts.append("</VRTDataset>")
    return "".join(parts)


def _transformer(source: Grid, target: Grid, same_crs: bool) -> str:
    # No approximating transformer: it depends on how the work is cut into chunks, so two libraries (or
    # two strip heights) would give slightly different pixels.
    reproject = ""
    if not same_crs:
        reproject = (
            "<ReprojectTransformer><ReprojectionTransformer>"
            f"<SourceSRS>{escape(source.crs)}</SourceSRS><TargetSRS>{escape(target.crs)}</TargetSRS>"
            "</ReprojectionTransformer></ReprojectTransformer>"
        )
    return (
        "<Transformer><GenImgProjTransformer>"
        f"<SrcGeoTransform>{_numbers(source.transform.to_gdal())}</SrcGeoTransform>"
        f"<SrcInvGeoTransform>{_numbers(inverse(source.transform).to_gdal())}</SrcInvGeoTransform>"
        f"<DstGeoTransform>{_numbers(target.transform.to_gdal())}</DstGeoTransform>"
        f"<DstInvGeoTransform>{_numbers(inverse(target.transform).to_gdal())}</DstInvGeoTransform>"
        f"{reproject}</GenImgProjTransformer></Transformer>"
    )


def warped_vrt(
    inner: str,
    count: int,
    source: Grid,
    target: Grid,
    *,
    same_crs: bool,
    resampling: str,
    scale: tuple[float, float],
) -> str:
    """``bands_vrt`` text ``inner`` on ``source``, warped onto ``target``; NaN where there is nothing.

    ``scale`` is target pixels per source pixel in x and y, at most 1: it widens the kernel when
    shrinking, and is fixed here because the warper would estimate it anew for every chunk.
    """
    width, height = target.size
    bands = "".join(
        f'<VRTRasterBand dataType="Float32" band="{b}" subClass="VRTWarpedRasterBand">'
        "<NoDataValue>nan</NoDataValue></VRTRasterBand>"
        for b in range(1, count + 1)
    )
    mapping = "".join(
        f'<BandMapping src="{b}" dst="{b}"><SrcNoDataReal>nan</SrcNoDataReal><SrcNoDataImag>0</SrcNoDataImag>'
        "<DstNoDataReal>nan</DstNoDataReal><DstNoDataImag>0</DstNoDataImag></BandMapping>"
        for b in range(1, count + 1)
    )
    return (
        f'<VRTDataset rasterXSize="{width}" rasterYSize="{height}" subClass="VRTWarpedDataset">'
        f"{_place(target)}{bands}<BlockXSize>{min(width, 512)}</BlockXSize>"
        f"<BlockYSize>{min(height, 128)}</BlockYSize><GDALWarpOptions>"
        f"<WarpMemoryLimit>{WARP_MEMORY}</WarpMemoryLimit><ResampleAlg>{RESAMPLING[resampling]}</ResampleAlg>"
        '<WorkingDataType>Float32</WorkingDataType><Option name="INIT_DEST">NO_DATA</Option>'
        f'<Option name="XSCALE">{scale[0]!r}</Option><Option name="YSCALE">{scale[1]!r}</Option>'
        '<Option name="UNIFIED_SRC_NODATA">NO</Option>'
        f'<SourceDataset relativeToVRT="0">{escape(inner)}</SourceDataset>'
        f"{_transformer(source, target, same_crs)}<BandList>{mapping}</BandList>"
        "</GDALWarpOptions></VRTDataset>"
    )


def _colours(spec: OutputSpec) -> str:
    if spec.colors is None:
        return ""
    top = max(spec.colors)
    entries = []
    for value in range(top + 1):
        r, g, b, a = spec.colors.get(value, (0, 0, 0, 0))
        entries.append(f'<Entry c1="{r}" c2="{g}" c3="{b}" c4="{a}"/>')
    return f"<ColorInterp>Palette</ColorInterp><ColorTable>{''.join(entries)}</ColorTable>"


def _metadata(tags: Mapping[str, str]) -> str:
    items = "".join(f"<MDI key={quoteattr(k)}>{escape(v)}</MDI>" for k, v in sorted(tags.items()))
    return f"<Metadata>{items}</Metadata>" if items else ""


def output_vrt(path: str, grid: Grid, spec: OutputSpec) -> str:
    """A finished plain raster dressed with all that its OutputSpec says, to be copied as a COG.

    Band names, units, nodata, colours and tags lie in the copy; class names go to its ``.aux.xml``.
    """
    units = list(spec.units) or [""] * len(spec.band_names)
    # 17 significant digits: nodata must come back equal to the last one.
    nodata = "" if spec.nodata is None else f"<NoDataValue>{float(spec.nodata):.17g}</NoDataValue>"
    names = "".join(f"<Category>{escape(c)}</Category>" for c in spec.categories)
    categories = f"<CategoryNames>{names}</CategoryNames>" if names else ""
    bands = "".join(
        f'<VRTRasterBand dataType="{GDAL_TYPES[spec.dtype]}" band="{i}">'
        f"<Description>{escape(name)}</Description>"
        f"<UnitType>{escape(unit)}</UnitType>{nodata}{_colours(spec)}{categories}"
        f'<SimpleSource><SourceFilename relativeToVRT="0">{escape(path)}</SourceFilename>'
        f"<SourceBand>{i}</SourceBand></SimpleSource></VRTRasterBand>"
        for i, (name, unit) in enumerate(zip(spec.band_names, units), start=1)
    )
    return (
        f'<VRTDataset rasterXSize="{grid.width}" rasterYSize="{grid.height}">{_place(grid)}'
        f"{_metadata(spec.tags)}{bands}</VRTDataset>"
    )
