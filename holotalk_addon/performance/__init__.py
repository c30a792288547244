# SPDX-License-Identifier: GPL-3.0-or-later
"""A head in time: what moves beside the stage's own turning."""
