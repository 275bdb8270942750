"""Tasks with class names that have nothing in common."""

NAMES = {"hues": ("red thing", "green"), "kinds": ("sea", "meadow", "river bed"), "marks": ("dot", "line", "ring")}
