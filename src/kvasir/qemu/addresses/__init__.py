"""Addresses of a guest's devices: which bus, slot and port each gets when the document does not say.

``assign(vm)`` completes a whole document; ``place(vm, device)`` finds the address of one device that is plugged later.
"""
