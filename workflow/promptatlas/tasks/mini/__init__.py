"""The embedded benchmark: twenty small tasks drawn from explicit factors. Knows nothing of models."""

from promptatlas.tasks.mini import (
    aerial,
    counting,
    faces,
    glyphs,
    objects,
    patterned,
    roads,
    signs,
    textures,
    tissue,
    words,
)

_FAMILIES = (objects, textures, patterned, counting, roads, glyphs, signs, aerial, tissue, faces, words)
MINI_TASKS = {mini.task.name: mini for family in _FAMILIES for mini in family.TASKS}
