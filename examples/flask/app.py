"""Orders that are live: each change and its event are one transaction, of the application's own database.

    pip install 'twinwire[server,sqlalchemy]' flask
    TWINWIRE_ALLOWED_ORIGINS=http://127.0.0.1:5000 twinwire serve &
    python app.py

Then open http://127.0.0.1:5000 in two windows. Under gunicorn the relay is better a program of its own, as in
`twinwire relay --dsn sqlite:///orders.db`.
"""

import os
from typing import Any

from flask import Flask, abort, redirect, render_template, request
from sqlalchemy import create_engine, select
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column
from werkzeug.wrappers import Response

from twinwire import Twinwire, outbox
from twinwire.contrib.sqlalchemy import add_table, connector, publish

LIVE = os.environ.get("TWINWIRE_URL", "http://127.0.0.1:8000")
engine = create_engine(os.environ.get("DATABASE_URL", "sqlite:///orders.db"))
app = Flask(__name__)


class Base(DeclarativeBase): ...


class Order(Base):
    __tablename__ = "orders"
    id: Mapped[int] = mapped_column(primary_key=True)
    item: Mapped[str]
    is_paid: Mapped[bool] = mapped_column(default=False)

    def shown(self) -> dict[str, Any]:
        return {"id": self.id, "item": self.item, "is_paid": self.is_paid}


add_table(Base.metadata)  # the outbox's


def tell(session: Session, order: Order) -> None:
    """Everybody, once the transaction is committed. It takes the place of what was told of this order before."""
    session.flush()  # from here on it has its number
    publish(session, "orders", "order", order.shown(), subject=str(order.id))


@app.get("/")
def index() -> str:
    with Session(engine) as session:
        orders = [order.shown() for order in session.scalars(select(Order))]
    return render_template("orders.html", live=LIVE, orders=orders)


@app.post("/orders")
def place() -> Response:
    with Session(engine) as session, session.begin():
        session.add(order := Order(item=request.form["item"]))
        tell(session, order)
    return redirect("/")


@app.post("/orders/<int:id>/paid")
def pay(id: int) -> Response:
    with Session(engine) as session, session.begin():
        order = session.get(Order, id, with_for_update=True) or abort(404)
        order.is_paid = True
        tell(session, order)
    return redirect("/")


if __name__ == "__main__":
    Base.metadata.create_all(engine)
    with Twinwire(LIVE) as live, outbox.Relay(connector(engine), live):
        app.run(port=int(os.environ.get("PORT", "5000")))
