"""Glue between binvision's models and mmengine's Runner."""
