"""Tests of the API, from outside, over HTTP."""
