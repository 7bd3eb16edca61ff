"""Simulates AWS IoT Wireless: devices, multicast groups, FUOTA tasks and their radio sessions."""
