"""Keras model in, checked .tflite file out."""
