# SPDX-License-Identifier: GPL-3.0-or-later
"""What every training needs.

- :mod:`.orders`, :mod:`.shards`, :mod:`.data_folder`, :mod:`.contact_sheet`: labelled training data on disk.
- :mod:`.farm`: the same work on many things, by several processes.
- :mod:`.engine`, :mod:`.conversion`: training a network in Keras, and its way into a ``.tflite``.
- :mod:`.judging`: completions against people of whom everything is known.
- :mod:`.parsing_people`, :mod:`.parsing_covers`, :mod:`.parsing_samples`, :mod:`.parsing_training`: what
  ``face``'s parsing network learns from, and how.

Keras is imported in :mod:`.engine`, :mod:`.conversion` and in modules named ``*_training`` alone.
"""
