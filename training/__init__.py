# SPDX-License-Identifier: GPL-2.0-or-later
"""Simulated scenes and the training of the starter pack; never part of the zip.

Everything but :mod:`training.simulate` and its parts needs the reference environment (terratorch).
"""
