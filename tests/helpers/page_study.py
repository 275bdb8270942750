"""Tables and summary of a synthetic study, as the page takes them."""

from promptatlas.analysis import statistics
from synthetic_study import similarity_table, tasks_table, transfer_table, tuning_table


def study(n=6, missing=True, **changes):
    transfer, tasks, similarity = transfer_table(n, **changes), tasks_table(n), similarity_table(n)
    if missing:
        missing = (transfer.method == "vpt") & (transfer.source == "task_02") & (transfer.target == "task_04")
        transfer = transfer[~missing].reset_index(drop=True)
    tables = {"transfer": transfer, "tasks": tasks, "similarity": similarity, "tuning": tuning_table(n)}
    table = statistics.analyse(transfer, similarity, tasks, permutations=99)
    return tables, statistics.summary(transfer, similarity, table, tasks)
