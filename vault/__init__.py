"""Keeps bytes sealed and remembers what they are; knows neither HTTP nor file formats."""
