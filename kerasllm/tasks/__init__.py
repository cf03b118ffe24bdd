"""What a model can be trained for: one file a task, each with its examples, its head, its loss and its scores.

The names are those of Hugging Face's pipelines.
"""
