"""Encoders as text-embeddings-inference serves them, and the tasks that it has not."""

from fastapi import APIRouter

router = APIRouter()
