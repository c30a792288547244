# SPDX-License-Identifier: GPL-3.0-or-later
"""What grows on a head or is worn: hair, beards, hats, glasses, collars, made by parameters on any head.

A :class:`.look.Look` says what is wanted. Everything is made about the mean head, in a
:class:`.fitting_room.FittingRoom` where all numbers hold, and carried to the person's; what comes out are
:class:`.prop.Prop`.
"""
