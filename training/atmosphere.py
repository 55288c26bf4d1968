# SPDX-License-Identifier: GPL-2.0-or-later
"""What Sentinel-2 records of a surface: clouds, shadow, air, optics, noise, and the correction back to the ground.

The air follows the form of 6S (Vermote et al. 1997, https://doi.org/10.1109/36.581987): path reflectance, two-way
transmittance, spherical albedo and gases. L2A is the L1C image corrected with an atmosphere that is slightly wrong.
Sources of the numbers are beside them; band figures of gases and clouds are rounded by hand, not measured.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter
from scipy.special import expn

from .fields import Field

Bands = NDArray[np.float64]

L1C_BANDS = ("B01", "B02", "B03", "B04", "B05", "B06", "B07", "B08", "B8A", "B09", "B10", "B11", "B12")

#: Centre wavelengths, micrometres (ESA, Sentinel-2A spectral response functions, COPE-GSEG-EOPG-TN-15-0007).
WAVELENGTH = np.array(
    [0.4427, 0.4924, 0.5598, 0.6646, 0.7041, 0.7405, 0.7828, 0.8328, 0.8647, 0.9451, 1.3735, 1.6137, 2.2024]
)

#: Native pixel of each band in pixels of 10 m (ESA, Sentinel-2 user handbook 2015, table 1).
NATIVE = (6, 1, 1, 1, 2, 2, 2, 1, 2, 6, 6, 2, 2)

#: Reference radiance, W m-2 sr-1 um-1, and signal-to-noise ratio there (user handbook, tables 1 to 3).
L_REF = np.array([129, 128, 128, 108, 74.5, 68, 67, 103, 52.5, 9, 6, 4, 1.5])
SNR = np.array([129, 154, 168, 142, 117, 89, 105, 174, 72, 114, 50, 100, 100], dtype=np.float64)

#: Solar irradiance of each band, W m-2 um-1 (metadata of Sentinel-2A products, SOLAR_IRRADIANCE).
E_SUN = np.array(
    [1884.7, 1959.7, 1823.2, 1512.1, 1424.6, 1287.6, 1162.1, 1041.6, 955.3, 812.9, 367.2, 245.6, 85.3]
)

#: Vertical ozone optical thickness at 300 DU (cross-sections of Serdyuchenko et al. 2014,
#: https://doi.org/10.5194/amt-7-625-2014, at the centre wavelengths).
OZONE = np.array([0.001, 0.006, 0.031, 0.015, 0.006, 0.003, 0.001, 0.0005, 0, 0, 0, 0, 0])

#: Vertical optical thickness of carbon dioxide, methane and nitrous oxide, which are evenly mixed: some 4 % and 8 % of
#: the light lost on the two ways in B11 and B12 (the magnitudes of 6S, Vermote et al. 1997).
MIXED_GASES = np.array([0.0] * 11 + [0.018, 0.035])

#: Water vapour: transmittance exp(-a (mW)^0.55) with W in g cm-2 and m the two-way air mass, the form of Tanre et
#: al. 1990 (5S); magnitudes after Gascon et al. 2017 (https://doi.org/10.3390/rs9060584) for B09 and Gao et al. 1993
#: (https://doi.org/10.1029/93GL00106) for the cirrus band, where one g cm-2 hides the ground.
VAPOUR = np.array([0, 0, 0, 0.003, 0.009, 0.012, 0.003, 0.028, 0.002, 0.55, 3.0, 0.004, 0.012])

#: Reflectance of infinitely thick cloud of drops and of ice (Nakajima & King 1990,
#: https://doi.org/10.1175/1520-0469(1990)047<1878:DOTOTA>2.0.CO;2, and Platnick et al. 2017,
#: https://doi.org/10.1109/TGRS.2016.2610522: thick drops 0.5-0.6 at 1.6 um and 0.35-0.5 at 2.2 um, ice lower).
THICK_DROPS = np.array([1.0] * 11 + [0.62, 0.48])
THICK_ICE = np.array([1.0] * 11 + [0.36, 0.26])

ASYMMETRY_CLOUD = 0.85  # drops at 550 nm (Hu & Stamnes 1993, 10.1175/1520-0442(1993)006<0728:AAPOTR>2.0.CO;2)
ASYMMETRY_CIRRUS = 0.77  # ice crystals (Baran 2012, 10.1016/j.atmosres.2012.04.010)
#: Continental aerosol (Dubovik et al. 2002, 10.1175/1520-0469(2002)059<0590:VOAAOP>2.0.CO;2).
ASYMMETRY_AEROSOL = 0.65
ALBEDO_AEROSOL = 0.94

#: The optics' Gaussian in native pixels: MTF 0.25 at Nyquist (specified 0.15 to 0.3; Gascon et al. 2017) over the
#: pixel's own 2/pi gives exp(-pi^2 sigma^2 / 2) = 0.39.
PSF_SIGMA = 0.436

#: Constant part of the squared noise at the reference radiance; the rest grows with radiance (photon noise).
DARK_SHARE = 0.3

SCALE_HEIGHT_AIR = 8400.0
SCALE_HEIGHT_VAPOUR = 2000.0
ADJACENCY_M = 500.0  # reach of light scattered from the surroundings (Vermote et al. 1997)


@dataclass(frozen=True)
class Optical:
    """What Sentinel-2 gives of a scene, reflectance x 10000 without offset, never 0."""

    s2l2a: NDArray[np.uint16]
    s2l1c: NDArray[np.uint16]
    rgb: NDArray[np.uint8]


@dataclass(frozen=True)
class Air:
    """The state of the air: aerosol at 550 nm, its Angstrom exponent, ozone in DU, water in g cm-2, cos of the sun."""

    aerosol: float
    exponent: float
    ozone: float
    vapour: float
    sun: float


@dataclass(frozen=True)
class Terms:
    """How air turns reflectance into what a satellite sees; (13,) each."""

    path: Bands
    through: Bands
    albedo: Bands
    diffuse: Bands
    around: Bands


def observe(world: Any, surface: Field) -> Optical:
    """Return what Sentinel-2 sees of ``surface``, (12, h, w) reflectance in the order of ``spectra.BANDS``."""
    rng = world.noise.rng
    air, guess = _draw_air(rng, world.place, float(np.mean(world.elevation)))
    heights = (float(np.min(world.elevation)), float(np.max(world.elevation)))
    true = (air_terms(air, heights[0]), air_terms(air, heights[1]))
    assumed = (air_terms(guess, heights[0]), air_terms(guess, heights[1]))
    scene = _Scene(world, surface, true[0].diffuse, air, guess)
    calibration = np.exp(rng.normal(0.0, 0.03, 13))  # 3 %: the goal of the mission (ESA user handbook)
    repair = float(rng.uniform(0.4, 0.8))
    haze = _haze(world)
    height, width = surface.shape[1:]
    l1c = np.empty((13, height, width), dtype=np.uint16)
    l2a = np.empty((12, height, width), dtype=np.uint16)
    for band in range(13):
        size = NATIVE[band]
        ground, gas, clear = scene.native(band)
        rise = _mean_blocks(scene.rise, size)
        around = true[0].around[band]
        near = _surroundings(ground, size)
        seen = _through_air(ground + around * (near - ground), true, band, rise)
        seen *= gas.ozone
        if haze is not None:
            seen += _mean_blocks(haze, size) * scene.haze_gain[band]
        seen *= calibration[band]
        seen += _noise_of(seen, band, air.sun, rng)
        l1c[band] = _digital(seen, size, height, width)
        if band == 10:
            continue
        back = _to_ground(seen / gas.guessed_ozone, assumed, band, rise) / clear
        true_near = near / clear
        back += repair * around * (back - true_near)
        l2a[band if band < 10 else band - 1] = _digital(back, size, height, width)
    return Optical(l2a, l1c, stretch(l2a, rng))


def with_offset(image: NDArray[np.uint16], offset: int = 1000) -> NDArray[np.uint16]:
    """Return the image as products since baseline 04.00 carry it: ``offset`` added, uint16."""
    return np.minimum(image.astype(np.uint32) + offset, 65535).astype(np.uint16)


def two_stream(thickness: Any, asymmetry: float = ASYMMETRY_CLOUD) -> Any:
    """Return the reflectance of a layer that does not absorb, (1-g)t / (2 + (1-g)t) (Bohren 1987, 10.1119/1.15109)."""
    scaled = (1.0 - asymmetry) * thickness
    return scaled / (2.0 + scaled)


def rayleigh_thickness(wavelength: Any) -> Any:
    """Return Rayleigh optical thickness at sea level of wavelengths in micrometres.

    Bodhaine et al. 1999, eq. 30, https://doi.org/10.1175/1520-0426(1999)016<1854:ORODC>2.0.CO;2.
    """
    square = np.square(wavelength)
    above = 1.0455996 - 341.29061 / square - 0.90230850 * square
    return 0.0021520 * above / (1.0 + 0.0027059889 / square - 85.968563 * square)


def rayleigh_path(thickness: Bands, sun: float) -> Bands:
    """Return Rayleigh path reflectance at nadir for the sun's cosine ``sun``.

    Single scattering plus the fitted multiple scattering of Vermote & Tanre 1992,
    https://doi.org/10.1016/0022-4073(92)90149-X (the azimuth-free part, which is all at nadir).
    """
    log = np.log(np.maximum(thickness, 1e-6))
    phase = 1.0 + (3.0 * sun * sun - 1.0) * 2.0 * 0.958725775 / 8.0
    single = phase * (1.0 - np.exp(-thickness * (1.0 / sun + 1.0))) / (4.0 * (sun + 1.0))
    total, squares = sun + 1.0, sun * sun + 1.0
    many = 0.33243832 - 0.06777104 * log + (0.16285370 + 0.001577425 * log) * total
    many += (-0.30924818 - 0.01240906 * log) * sun + (-0.10324388 + 0.03241678 * log) * squares
    many += (0.11493334 - 0.03503695 * log) * sun * sun
    return single + (1.0 - np.exp(-thickness / sun)) * (1.0 - np.exp(-thickness)) * many / sun


def air_terms(air: Air, height: float) -> Terms:
    """Return what air above ``height`` metres does to each band."""
    molecules = rayleigh_thickness(WAVELENGTH) * np.exp(-height / SCALE_HEIGHT_AIR)
    dust = air.aerosol * (WAVELENGTH / 0.55) ** -air.exponent
    sun, g = air.sun, ASYMMETRY_AEROSOL
    below = vapour_transmittance(0.5 * air.vapour, sun)  # half the vapour lies above the light's turn (6S)
    phase = (1.0 - g * g) / (1.0 + g * g + 2.0 * g * sun) ** 1.5
    loss = 1.0 - np.exp(-dust * (1.0 / sun + 1.0))
    path = rayleigh_path(molecules, sun) + ALBEDO_AEROSOL * phase * loss / (4.0 * (sun + 1.0))
    # Half of Rayleigh's and about a sixth of aerosol's scattering goes backward, and is lost (Gordon et al. 1983).
    back = 0.52 * molecules + 0.16 * dust
    down, up = np.exp(-back / sun), np.exp(-back)
    direct_down, direct_up = np.exp(-(molecules + dust) / sun), np.exp(-(molecules + dust))
    # Spherical albedo of molecules: Vermote et al. 1997 (6S manual, CSALBR).
    third = expn(3, molecules)
    globe = 3 * molecules - third * (4 + 2 * molecules) + 2 * np.exp(-molecules)
    albedo = globe / (4 + 3 * molecules) + two_stream(dust, g)
    return Terms(path * below, down * up, albedo, 1.0 - direct_down / down, 1.0 - direct_up / up)


def vapour_transmittance(column: float, sun: float) -> Bands:
    """Return two-way transmittance of ``column`` g cm-2 of water vapour, (13,)."""
    return np.exp(-VAPOUR * (max(column, 0.0) * (1.0 / sun + 1.0)) ** 0.55)


def precipitable_water(warmth: float, humidity: float, height: float) -> float:
    """Return water vapour above ``height`` m in g cm-2, ``warmth`` deg C at sea level, humidity 0..1.

    Leckner 1978, https://doi.org/10.1016/0038-092X(78)90187-1.
    """
    kelvin = warmth + 273.15
    pressure = np.exp(26.23 - 5416.0 / kelvin)
    return float(0.493 * humidity * pressure / kelvin * np.exp(-max(height, 0.0) / SCALE_HEIGHT_VAPOUR))


def stretch(l2a: NDArray[np.uint16], rng: np.random.Generator) -> NDArray[np.uint8]:
    """Return the colour image of L2A, (3, h, w) red, green, blue.

    One linear stretch for all three bands between the 1st and 99th percentile of their joint values over the larger
    tile that a chip is cut from: TerraMesh's chips 38D and 282D show 459 to 2548 and 0 to 3909, their own
    percentiles being 481 to 2530 and 88 to 3994. A chip's own percentiles therefore move a little,
    by an amount that is assumed.
    """
    color = l2a[[3, 2, 1]].astype(np.float32)
    low, high = np.percentile(color[:, ::2, ::2], (1.0, 99.0))
    low = float(low) * rng.uniform(0.6, 1.05)
    high = max(float(high) * np.exp(rng.normal(0.0, 0.08)), low + 200.0)
    color -= low
    color *= 255.0 / (high - low)
    return np.clip(np.rint(color), 0, 255).astype(np.uint8)


def _draw_air(rng: np.random.Generator, place: Any, height: float) -> tuple[Air, Air]:
    """Return the air of the day and what the correction takes it for.

    Aerosol is log-normal about 0.13 (O'Neill et al. 2000, 10.1029/2000GL011581; Dubovik et al. 2002). The
    correction's errors are those of ACIX (Doxani et al. 2018, 10.3390/rs10020352): about 0.05 and a twentieth.
    """
    sun = max(float(np.sin(np.deg2rad(place.sun_elevation))), 0.12)
    aerosol = float(np.clip(np.exp(rng.normal(np.log(0.13), 0.5)), 0.02, 0.8))
    exponent = float(np.clip(rng.normal(1.3, 0.3), 0.2, 2.0))
    ozone = float(np.clip(rng.normal(310.0, 35.0), 220.0, 450.0))
    humidity = float(np.clip(rng.normal(0.75 - 0.45 * place.aridity, 0.08), 0.1, 0.95))
    vapour = precipitable_water(float(np.clip(place.warmth, -40, 40)), humidity, height)
    guessed = max(aerosol + float(rng.normal(0.0, 0.05)), 0.01)
    wet = vapour * float(np.exp(rng.normal(0.0, 0.05)))
    return Air(aerosol, exponent, ozone, vapour, sun), Air(guessed, 1.3, 310.0, wet, sun)


@dataclass(frozen=True)
class _Gas:
    ozone: float
    guessed_ozone: float


class _Scene:
    """Reflectance above the clouds, band by band, with the gases between ground, cloud and satellite."""

    def __init__(self, world: Any, surface: Field, diffuse: Bands, air: Air, guess: Air) -> None:
        rng = world.noise.rng
        self.surface, self.diffuse = surface, diffuse
        span = float(np.ptp(world.elevation))
        self.rise = ((world.elevation - np.min(world.elevation)) / max(span, 1.0)).astype(np.float32)
        self.shadow = world.shadow if np.any(world.shadow > 0.0) else None
        self.cloud = two_stream(world.cloud).astype(np.float32) if np.any(world.cloud > 0.0) else None
        veil = two_stream(world.cirrus, ASYMMETRY_CIRRUS)
        self.cirrus = veil.astype(np.float32) if np.any(world.cirrus > 0.0) else None
        self.ice = float(np.clip((5.0 - world.place.warmth) / 30.0 + rng.normal(0.0, 0.3), 0.0, 1.0))
        top = float(rng.uniform(1200.0, 3500.0)) + 5000.0 * self.ice
        self.low = vapour_transmittance(air.vapour, air.sun)
        self.top = vapour_transmittance(air.vapour * np.exp(-top / SCALE_HEIGHT_VAPOUR), air.sun)
        self.high = vapour_transmittance(air.vapour * np.exp(-9500.0 / SCALE_HEIGHT_VAPOUR), air.sun)
        self.guessed = vapour_transmittance(guess.vapour, guess.sun)
        mass = 1.0 / air.sun + 1.0
        self.ozone = np.exp(-(OZONE * air.ozone / 300.0 + MIXED_GASES) * mass)
        self.guessed_ozone = np.exp(-(OZONE * guess.ozone / 300.0 + MIXED_GASES) * mass)
        thin, thick = (
            air_terms(Air(0.01, 1.3, 300, air.vapour, air.sun), 0.0),
            air_terms(Air(0.11, 1.3, 300, air.vapour, air.sun), 0.0),
        )
        self.haze_gain = (thick.path - thin.path) / 0.1

    def native(self, band: int) -> tuple[Field, _Gas, Any]:
        """Return reflectance on the band's own pixels, ozone, and the vapour transmittance assumed there."""
        size = NATIVE[band]
        light = self._ground(band) * np.float32(self.low[band])
        clear: Any = float(self.guessed[band])
        if self.cloud is not None:
            thick = (1.0 - self.ice) * THICK_DROPS[band] + self.ice * THICK_ICE[band]
            bright = self.cloud / (1.0 + self.cloud * (1.0 / thick - 1.0))
            light = light * (1.0 - self.cloud) + bright * np.float32(self.top[band])
            if band == 9:
                # The correction finds less water over clouds, from the very same band.
                clear = clear + _mean_blocks(self.cloud, size) * (self.top[band] - clear)
        if self.cirrus is not None:
            icy = (1.0, 0.75, 0.6)[max(0, band - 10)]  # small crystals absorb a little (Gao et al. 1993)
            light = light * (1.0 - self.cirrus) + self.cirrus * np.float32(icy * self.high[band])
        blurred = gaussian_filter(light, PSF_SIGMA * size, truncate=3.0, mode="nearest")
        return (
            _mean_blocks(blurred, size),
            _Gas(float(self.ozone[band]), float(self.guessed_ozone[band])),
            clear,
        )

    def _ground(self, band: int) -> Field:
        """Return sunlit or shaded surface reflectance, (h, w); B10 lies between B8A and B11."""
        if band == 10:
            ground = 0.5 * (self.surface[8] + self.surface[10])
        else:
            ground = self.surface[band if band < 10 else band - 1]
        if self.shadow is None:
            return ground
        return ground * (1.0 - self.shadow * np.float32(1.0 - self.diffuse[band]))


def _haze(world: Any) -> Field | None:
    """Return aerosol above the scene's mean in patches, optical thickness at 550 nm, or None in even air."""
    rng = world.noise.rng
    chance, amount = rng.random(), rng.gamma(2.0, 0.02)
    if chance > 0.35:
        return None
    return (amount * np.clip(world.noise.smooth(50, 400, 2.0), -1.0, 3.0)).astype(np.float32)


def _between(pair: tuple[Bands, Bands], band: int, rise: Field) -> Field:
    """Return a term of the air between the lowest and the highest ground, (h, w) float32."""
    low, high = float(pair[0][band]), float(pair[1][band])
    return np.float32(low) + np.float32(high - low) * rise


def _through_air(ground: Field, air: tuple[Terms, Terms], band: int, rise: Field) -> Field:
    """Return top-of-atmosphere reflectance of ground reflectance."""
    path = _between((air[0].path, air[1].path), band, rise)
    through = _between((air[0].through, air[1].through), band, rise)
    albedo = _between((air[0].albedo, air[1].albedo), band, rise)
    return path + through * ground / (1.0 - albedo * ground)


def _to_ground(seen: Field, air: tuple[Terms, Terms], band: int, rise: Field) -> Field:
    """Return ground reflectance of top-of-atmosphere reflectance: ``_through_air`` backward."""
    left = seen - _between((air[0].path, air[1].path), band, rise)
    left /= _between((air[0].through, air[1].through), band, rise)
    return left / (1.0 + _between((air[0].albedo, air[1].albedo), band, rise) * left)


def noise_std(reflectance: Any, band: int, sun: float) -> Any:
    """Return the standard deviation of the noise of L1C reflectance by the specified signal-to-noise ratio."""
    reference = np.pi * L_REF[band] / (E_SUN[band] * sun)
    signal = np.maximum(reflectance, 0.0) / reference
    return reference / SNR[band] * np.sqrt(DARK_SHARE + (1.0 - DARK_SHARE) * signal)


def _noise_of(seen: Field, band: int, sun: float, rng: np.random.Generator) -> Field:
    std = noise_std(seen, band, sun).astype(np.float32)
    return std * rng.standard_normal(seen.shape, dtype=np.float32)


def _mean_blocks(field: Field, size: int) -> Field:
    """Return means over ``size`` x ``size`` pixels from the first corner on; the last blocks may be smaller."""
    if size == 1:
        return field
    height, width = field.shape
    padded = np.pad(field, ((0, -height % size), (0, -width % size)), mode="edge")
    rows, columns = padded.shape[0] // size, padded.shape[1] // size
    return padded.reshape(rows, size, columns, size).mean(axis=(1, 3), dtype=np.float32)


def _digital(field: Field, size: int, height: int, width: int) -> NDArray[np.uint16]:
    """Return reflectance x 10000 on 10 m pixels, repeated as TerraMesh's chips show coarse bands."""
    values = np.clip(np.rint(field * 10000.0), 1, 28000).astype(np.uint16)
    return values if size == 1 else np.repeat(np.repeat(values, size, 0), size, 1)[:height, :width]


@lru_cache(maxsize=16)
def _gauss(length: int, reach: float) -> tuple[Field, Field]:
    """Return matrices that blur a line onto a coarse grid, and back to ``length`` points by straight lines."""
    count = max(2, int(np.ceil(length / max(reach / 5.0, 1.0))))
    centres = np.linspace(0, length - 1, count)
    here = np.arange(length)
    down = np.exp(-0.5 * ((centres[:, None] - here[None]) / reach) ** 2)
    down /= down.sum(axis=1, keepdims=True)
    up = np.stack([np.interp(here, centres, row) for row in np.eye(count)], axis=1)
    return down.astype(np.float32), up.astype(np.float32)


def _surroundings(field: Field, size: int) -> Field:
    """Return the mean of the surroundings, ``ADJACENCY_M`` far, of a field of ``size`` x 10 m pixels."""
    reach = ADJACENCY_M / 10.0 / size
    down_y, up_y = _gauss(field.shape[0], reach)
    down_x, up_x = _gauss(field.shape[1], reach)
    return up_y @ (down_y @ field @ down_x.T) @ up_x.T


__all__ = ["L1C_BANDS", "Air", "Optical", "Terms", "air_terms", "observe", "two_stream", "with_offset"]
