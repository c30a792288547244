# SPDX-License-Identifier: GPL-3.0-or-later
"""What the photo does not show, by learned networks: Keras trains them, LiteRT runs them.

- :mod:`.learned`: the completion ``cae``, our own network. It is shown a head's sides as :mod:`.stacks`
  draws them, and what it says of them :mod:`.painting` blends into the textures, so far as the photo's own
  :mod:`.light` agrees.
- :mod:`.holotalk`: the completion ``holotalk``, HOLOTALK's autoencoder, with the small grey pictures that it
  knows (:mod:`.snapshots`).
- :mod:`.self_check`: whether the finished head looks like the photo.
- :mod:`.completion_training`, :mod:`.holotalk_training`: both networks in Keras, and how they are trained.
  The add-on never imports these.
"""
