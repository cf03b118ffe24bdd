"""From a task to a RUN folder: from scratch, by pretraining, by fine-tuning, by distillation."""
