"""Lesson 7: slope and hill shading of the real heights."""

import numpy as np


def survey(z, real):
    z, cell = z.astype(real), real(90)
    p = np.pad(z, 1, mode="edge")
    east = (p[1:-1, 2:] - p[1:-1, :-2]) / (2 * cell)
    north = (p[:-2, 1:-1] - p[2:, 1:-1]) / (2 * cell)
    steep = 100 * np.sqrt(east**2 + north**2)
    radians = lambda degrees: real(degrees) * real(np.float32(np.pi)) / 180
    up, flat = np.sin(radians(45)), np.cos(radians(45))
    sun_east, sun_north = flat * np.sin(radians(315)), flat * np.cos(radians(315))
    east, north = 2 * east, 2 * north
    lit = np.maximum(0, (up - east * sun_east - north * sun_north) / np.sqrt(1 + east * east + north * north))
    return steep.astype(real), lit.astype(real)


def expected(array, data):
    z = data("elevation.npy")
    steep, lit = survey(z, np.float32)
    exact_steep, exact_lit = survey(z, np.float64)
    assert np.abs(steep - exact_steep).max() < 2e-5 and np.abs(lit - exact_lit).max() < 1e-6
    h, w = z.shape
    return {
        "args": [],
        "stdout_contains": [f"{h} x {w} cells, from {z.min():.0f} m to {z.max():.0f} m"],
        "scalars": [
            {"after": "steepest slope: ", "value": float(exact_steep.max()), "abs": 0.06},
            {"after": "steeper than 30 in 100: ", "value": 100 * float((exact_steep > 30).mean()), "abs": 0.06},
        ],
        "npy": {
            "slope.npy": array("terrain_slope.npy", steep, 1e-4, every=8),
            "relief.npy": array("terrain_relief.npy", lit, 1e-5, every=8),
        },
        "writes": ["ground.png", "slope.png", "relief.png"],
    }
