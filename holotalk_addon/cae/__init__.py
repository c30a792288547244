# SPDX-License-Identifier: GPL-3.0-or-later
"""What the photo does not show, by learned networks: Keras trains them, LiteRT runs them.

- :mod:`.network`, :mod:`.training`, :mod:`.conversion`: HOLOTALK's convolutional autoencoder in Keras,
  its training and its way into a ``.tflite``. Keras and TensorFlow are imported there and nowhere else.
- :mod:`.shards`: the training data's files, in NumPy alone.
- :mod:`.snapshots`: the small grey pictures that the autoencoder knows, cut from a photo or drawn from a
head.
- :mod:`.holotalk`: the completion ``holotalk``: the autoencoder in LiteRT, its pictures, and how they get on
  to the head's texture. The add-on imports of this room no more than these last two.
"""
