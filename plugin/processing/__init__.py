# SPDX-License-Identifier: GPL-2.0-or-later
"""Terrane in Processing: the toolbox, the modeler, batch, and qgis_process. Needs no iface."""
