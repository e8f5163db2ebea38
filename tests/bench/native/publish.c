// publish: K keep-alive connections, each with one publish in flight, of stamped events.
//
// name=value options:
//   port=N path=P          where to POST
//   topic=T topics=N       "%d" in the topic becomes a random number below topics, the same ones in every run
//   conns=K total=N        connections, and events in all
//   batch=N                events a request; more than one are sent as NDJSON
//   first=N                sequence number of the first event
//   rate=R                 events/s; then the stamp is the time at which the event was due. 0: as fast as answers come
//   pad=N                  bytes of filling in each event's data
//   subjects=N             each event is about a subject, its sequence number modulo N; 0: about none
//   append=1               its data is a text, which is appended to the subject's
//   keyed=1                each event has a key of its own, so that it replaces none that is not kept
//   get=1                  no events, but GETs of the path, to see how soon others are answered; latencies are then from
//                          the time at which a request was due
// BENCH_BEARER in the environment is the token to send.
// Prints one line of JSON, also after SIGTERM, once what was sent is answered. Ends with status 1 at the first answer that is neither 200, 201, 202 nor 204.
#define _GNU_SOURCE
#include "bench.h"

#include <errno.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/timerfd.h>
#include <unistd.h>

enum { EVENT_MAX = 2048, HEAD_MAX = 2048, ANSWER_MAX = 1 << 20, TIMER = UINT32_MAX };

struct conn {
    int fd;
    size_t length;  // bytes of the answer so far
    int64_t sent;
    char *answer;
};

struct publisher {
    bool get, append, keyed;
    int port, count, batch, pad, topics, subjects, epoll, timer;
    long total, first;
    double rate;
    const char *path, *topic;
    struct conn *all;
    int *idle, idle_first, idle_count; // a ring: each connection has its turn, and none rests until it is cut
    long published, answered, requests;
    int64_t began;
    uint64_t random;
    char *body;
    struct histogram latency;
};

static volatile sig_atomic_t stopped;

static void on_signal(int number) {
    (void)number;
    stopped = 1;
}

static uint64_t next_random(struct publisher *p) {  // xorshift64 (Marsaglia, 2003)
    p->random ^= p->random << 13;
    p->random ^= p->random >> 7;
    p->random ^= p->random << 17;
    return p->random;
}

static int write_event(struct publisher *p, char *to, int64_t time, long sequence) {
    char stamp[STAMP_LENGTH + 1] = {0}, topic[256], about[64] = "";
    const char *mark = strstr(p->topic, "%d");
    write_stamp(stamp, time, (uint32_t)sequence);
    if (mark)
        snprintf(topic, sizeof topic, "%.*s%d%s", (int)(mark - p->topic), p->topic,
                 (int)(next_random(p) % (uint64_t)p->topics), mark + 2);
    else
        snprintf(topic, sizeof topic, "%s", p->topic);
    if (p->subjects)
        snprintf(about, sizeof about, "\"subject\":\"s%ld\",%s", sequence % p->subjects,
                 p->append ? "\"append\":true," : "");
    if (p->keyed) snprintf(about, sizeof about, "\"key\":\"k%ld\",", sequence);
    const char *form = p->append ? "{\"topic\":\"%s\",\"type\":\"log\",%s\"data\":\"%s %0*d\"}"
                                 : "{\"topic\":\"%s\",\"type\":\"log\",%s\"data\":{\"t\":\"%s\",\"message\":\"%0*d\"}}";
    return snprintf(to, EVENT_MAX, form, topic, about, stamp, p->pad, 0);
}

static void write_all(int fd, const char *from, size_t length) {
    while (length) {
        ssize_t n = write(fd, from, length);
        if (n < 0) die("write");
        from += n;
        length -= (size_t)n;
    }
}

static int64_t due(const struct publisher *p, long events) {
    return p->began + (int64_t)((double)events / p->rate * 1e9);
}

static void send_get(struct publisher *p, struct conn *c) {
    c->sent = p->rate > 0 ? due(p, p->published) : now_ns();
    p->published++;
    p->requests++;
    int n = snprintf(p->body, HEAD_MAX, "GET %s HTTP/1.1\r\nHost: 127.0.0.1:%d\r\n\r\n", p->path, p->port);
    write_all(c->fd, p->body, (size_t)n);
}

static void send_one(struct publisher *p, struct conn *c) {
    long left = p->total - p->published;
    int events = left < p->batch ? (int)left : p->batch, length = 0;
    c->sent = now_ns();
    int64_t stamp = p->rate > 0 ? due(p, p->published) : c->sent;
    for (int i = 0; i < events; i++) {
        if (i) p->body[length++] = '\n';
        length += write_event(p, p->body + length, stamp, p->first + p->published++);
    }
    char head[HEAD_MAX];
    const char *bearer = getenv("BENCH_BEARER");
    int n = snprintf(head, sizeof head,
                     "POST %s HTTP/1.1\r\nHost: 127.0.0.1:%d\r\nContent-Type: %s\r\nContent-Length: %d%s%s\r\n\r\n",
                     p->path, p->port, p->batch > 1 ? "application/x-ndjson" : "application/json", length,
                     bearer ? "\r\nAuthorization: Bearer " : "", bearer ? bearer : "");
    // One write for both, as a client library would: the head has room in front of the body.
    memmove(p->body + n, p->body, (size_t)length);
    memcpy(p->body, head, (size_t)n);
    write_all(c->fd, p->body, (size_t)(n + length));
    p->requests++;
}

// Send what may be sent now: everything that is due, or everything.
static void send_due(struct publisher *p) {
    while (p->idle_count && p->published < p->total) {
        if (p->rate > 0 && due(p, p->published) > now_ns()) return;
        struct conn *c = &p->all[p->idle[p->idle_first]];
        p->idle_first = (p->idle_first + 1) % p->count;
        p->idle_count--;
        if (p->get)
            send_get(p, c);
        else
            send_one(p, c);
    }
}

static bool is_complete(struct conn *c) {
    c->answer[c->length] = 0;
    char *end = strstr(c->answer, "\r\n\r\n");
    if (!end) return false;
    if (strncmp(c->answer, "HTTP/1.1 20", 11)) {
        fprintf(stderr, "refused: %.400s\n", c->answer);
        exit(1);
    }
    char *field = strcasestr(c->answer, "\r\ncontent-length:");
    long size = field && field < end ? strtol(field + 17, NULL, 10) : 0;
    return c->length >= (size_t)(end + 4 - c->answer + size);
}

static void on_readable(struct publisher *p, int index) {
    struct conn *c = &p->all[index];
    ssize_t n = read(c->fd, c->answer + c->length, ANSWER_MAX - 1 - c->length);
    if (n < 0 && errno == EINTR) return;
    if (n <= 0) {
        fprintf(stderr, "the server closed the connection\n");
        exit(1);
    }
    c->length += (size_t)n;
    if (!is_complete(c)) return;
    histogram_add(&p->latency, (now_ns() - c->sent) / 1000);
    c->length = 0;
    p->answered++;
    p->idle[(p->idle_first + p->idle_count++) % p->count] = index;
}

static void open_all(struct publisher *p) {
    struct sockaddr_in address = loopback(p->port);
    for (int i = 0; i < p->count; i++) {
        struct conn *c = &p->all[i];
        c->fd = socket(AF_INET, SOCK_STREAM, 0);
        c->answer = malloc(ANSWER_MAX);
        if (c->fd < 0 || !c->answer || connect(c->fd, (struct sockaddr *)&address, sizeof address)) die("connect");
        set_option(c->fd, IPPROTO_TCP, TCP_NODELAY, 1);
        struct epoll_event e = {.events = EPOLLIN, .data.u32 = (uint32_t)i};
        if (epoll_ctl(p->epoll, EPOLL_CTL_ADD, c->fd, &e)) die("epoll_ctl");
        p->idle[p->idle_count++] = i; // the ring begins at 0
    }
}

static void set_timer(struct publisher *p) {
    if (p->rate <= 0 || p->published >= p->total) return;
    int64_t at = due(p, p->published);
    struct itimerspec when = {.it_value = {at / 1000000000LL, at % 1000000000LL}};
    if (timerfd_settime(p->timer, TFD_TIMER_ABSTIME, &when, NULL)) die("timerfd_settime");
}

static void run(struct publisher *p) {
    struct epoll_event events[256];
    struct epoll_event e = {.events = EPOLLIN, .data.u32 = TIMER};
    p->timer = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK);
    if (epoll_ctl(p->epoll, EPOLL_CTL_ADD, p->timer, &e)) die("epoll_ctl");
    open_all(p);
    p->began = now_ns();
    for (;;) {
        if (stopped) p->total = p->published; // first: with nothing left to come, nothing would wake us from the wait
        if (p->published >= p->total && p->answered >= p->requests) break;
        send_due(p);
        set_timer(p);
        int n = epoll_wait(p->epoll, events, 256, -1);
        for (int i = 0; i < n; i++) {
            uint64_t expirations;
            if (events[i].data.u32 != TIMER)
                on_readable(p, (int)events[i].data.u32);
            else if (read(p->timer, &expirations, sizeof expirations) < 0 && errno != EAGAIN)
                die("timer");
        }
    }
}

int main(int argc, char **argv) {
    struct publisher *p = calloc(1, sizeof *p);
    signal(SIGTERM, on_signal);
    p->get = option_number(argc, argv, "get", 0);
    p->port = (int)option_number(argc, argv, "port", 8000);
    p->path = option(argc, argv, "path", "/api/events");
    p->topic = option(argc, argv, "topic", "bench/t");
    p->topics = (int)option_number(argc, argv, "topics", 1);
    p->count = (int)option_number(argc, argv, "conns", 1);
    p->total = option_number(argc, argv, "total", 1);
    p->batch = (int)option_number(argc, argv, "batch", 1);
    p->first = option_number(argc, argv, "first", 0);
    p->rate = option_real(argc, argv, "rate", 0);
    p->pad = (int)option_number(argc, argv, "pad", 91);
    p->subjects = (int)option_number(argc, argv, "subjects", 0);
    p->append = option_number(argc, argv, "append", 0);
    p->keyed = option_number(argc, argv, "keyed", 0);
    p->random = 0x9E3779B97F4A7C15ULL;
    p->all = calloc((size_t)p->count, sizeof *p->all);
    p->idle = calloc((size_t)p->count, sizeof *p->idle);
    p->body = malloc((size_t)(p->batch + 1) * EVENT_MAX);
    p->epoll = epoll_create1(0);
    if (!p->all || !p->idle || !p->body || p->epoll < 0) die("set-up");
    run(p);
    double seconds = (double)(now_ns() - p->began) / 1e9;
    printf("{\"published\":%ld,\"requests\":%ld,\"seconds\":%.4f,\"per_s\":%.1f,\"requests_per_s\":%.1f,", p->published,
           p->requests, seconds, (double)p->published / seconds, (double)p->requests / seconds);
    printf("\"p50_ms\":%.3f,\"p99_ms\":%.3f,\"max_ms\":%.3f,\"cpu\":%.2f}\n", histogram_ms(&p->latency, 0.5),
           histogram_ms(&p->latency, 0.99), (double)p->latency.max / 1000.0, cpu_seconds() / seconds);
    return 0;
}
