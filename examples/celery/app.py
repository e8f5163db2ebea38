"""A task that says how far it is, and writes a text word by word, on a page that shows both as they come.

    pip install 'twinwire[server]' celery flask
    TWINWIRE_ALLOWED_ORIGINS=http://127.0.0.1:5000 twinwire serve & celery -A app.queue worker -l INFO &
    flask --app app run

Then open http://127.0.0.1:5000. Tasks go through files in the folder `queue`; with BROKER_URL through a broker.
"""

import os
import time
from pathlib import Path
from uuid import uuid4

from celery import Celery, Task
from flask import Flask, redirect, render_template
from werkzeug.wrappers import Response

from twinwire import Twinwire

LIVE = os.environ.get("TWINWIRE_URL", "http://127.0.0.1:8000")
ANSWER = "Each word of this answer is an event: it is on disk before you see it, and a page that comes late has all."
live = Twinwire(LIVE)  # not used before the worker forks, so each of its processes has a connection of its own
queue = Celery("app", broker=os.environ.get("BROKER_URL", "filesystem://"))
# A task whose process dies is run again, after a second.
queue.conf.update(task_acks_late=True, task_reject_on_worker_lost=True, worker_lost_wait=1)
app = Flask(__name__)
if queue.conf.broker_url == "filesystem://":
    folder = Path("queue").absolute()
    folder.mkdir(exist_ok=True)
    names = ("data_folder_in", "data_folder_out", "control_folder")
    queue.conf.broker_transport_options = {**dict.fromkeys(names, str(folder)), "polling_interval": 0.1}
    queue.conf.worker_enable_remote_control = False  # which files are no way for


@queue.task(bind=True)
def answer(self: Task) -> None:
    """Run again, it publishes the same events with the same keys, and each of them is there once."""
    topic = f"answers/{self.request.id}"
    live.publish(topic, "text", "", subject="text", key="text")
    words = ANSWER.split()
    for number, word in enumerate(words, 1):
        time.sleep(0.15)  # the work
        is_last = number == len(words)
        live.publish(topic, "text", f"{word} ", subject="text", append=True, final=is_last, key=f"text-{number}")
        live.publish(topic, "progress", number / len(words), subject="progress", key=f"progress-{number}")


@app.get("/")
def index() -> str:
    return render_template("answer.html", live=LIVE, topic=None)


@app.post("/answers")
def ask() -> Response:
    id = str(uuid4())
    answer.apply_async(task_id=id)
    return redirect(f"/answers/{id}")


@app.get("/answers/<uuid:id>")
def show(id: object) -> str:
    return render_template("answer.html", live=LIVE, topic=f"answers/{id}")
