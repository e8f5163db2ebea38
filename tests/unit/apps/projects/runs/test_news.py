from service.apps.projects.changes import Change
from service.apps.projects.runs.limits import UPDATE_PACE
from service.apps.projects.runs.made import queued_run
from service.apps.projects.runs.news import News
from tests.support.clock import ManualClock


def test_progress_is_told_no_more_often_than_people_can_see() -> None:
    clock = ManualClock()
    news = News(queued_run("p", 1, 0), clock)
    change = Change("p")
    news.tell(change, status="running")
    news.tell_progress(change, progress=1)
    clock.advance(UPDATE_PACE)
    news.tell_progress(change, progress=2)
    assert len(change.drafts) == 2
    assert (news.run.status, news.run.progress) == ("running", 2)
