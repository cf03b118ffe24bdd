"""The page on which one tries the models."""

from fastapi import APIRouter

router = APIRouter()
