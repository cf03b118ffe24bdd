"""The Keras models: classifiers, encoders and decoders, and what is put into them."""
