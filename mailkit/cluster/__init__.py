"""Workers on many machines that send jobs of one journal in PostgreSQL; they run on Procrastinate.

Needs the extra ``cluster``. ``mailkit worker`` is a worker of its own; whoever runs Procrastinate
already adds mailkit's tasks to their App with `blueprint`.
"""

from __future__ import annotations

from mailkit.extras import needed

with needed("cluster", "mailkit.cluster needs"):
    from mailkit.cluster.detaching import detach, plan, restart
    from mailkit.cluster.orders import OrderState, OrderToPlan, drop_order, orders_to_plan
    from mailkit.cluster.task import blueprint
    from mailkit.cluster.worker import Worker, queues

__all__ = [
    "OrderState",
    "OrderToPlan",
    "Worker",
    "blueprint",
    "detach",
    "drop_order",
    "orders_to_plan",
    "plan",
    "queues",
    "restart",
]
