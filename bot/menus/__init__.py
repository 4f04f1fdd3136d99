"""The screens of one feature each, with their buttons; pure, as `screens.py` is."""
