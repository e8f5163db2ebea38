// fan: opens many streaming connections (WebSocket or SSE) to a server on loopback and accounts for every event.
//
// name=value options:
//   mode=ws|sse port=N path=P  "%d" in the path becomes the connection's number modulo topics=N
//   header=H                   a request header, any number of times
//   conns=N burst=N            connections, and how many may be connecting at a time (default 64)
//   live=0|1                   a connection counts as ready when "caught_up" came, not when its response head did
//   expect=N                   events that each connection must get, numbered first=N onward, each exactly once
//   total=N                    events that all connections get together; instead of expect where topics are random
//   end=events|ready|signal    when to stop: all events came, all are ready, SIGTERM; and after seconds=S in any case
//   stall=K stall_after=N stall_seconds=S   the first K connections stop reading for S seconds once N events came in
//                              all; their latencies do not count, also with S = 0
//   rcvbuf=N                   SO_RCVBUF of each connection, bytes
//   read=N                     bytes read at most before the next connection has its turn
//   pong=0|1                   answer empty pings, as a browser does
// Prints "ready" once all are, and one line of JSON at the end.
#define _GNU_SOURCE
#include "bench.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/epoll.h>
#include <unistd.h>

enum { KEEP = 2048, READ_MAX = 1 << 18, EVENTS = 512, REQUEST_MAX = 4096 };
enum state { UNUSED, CONNECTING, HEAD, OPEN, READY, CLOSED };

struct conn {
    int fd;
    enum state state;
    uint32_t count;      // distinct events
    uint32_t keep_length;
    uint64_t *seen;      // one bit an expected event
    char keep[KEEP];     // what may be the beginning of something
};

struct fan {
    bool websocket, wait_live, pong;
    int port, conns, burst, topics, stall, rcvbuf, read;
    long expect, first, total, stall_after;
    double stall_seconds, seconds;
    const char *path, *headers[16];
    enum { AT_EVENTS, AT_READY, AT_SIGNAL } end;

    struct conn *all;
    int epoll, started, pending, opened, ready, failed, lost, complete, stalled;
    int64_t began, ready_at, first_at, last_at, resume_at;
    long messages, duplicates, foreign, bytes;
    double cpu;
    struct histogram latency;
    char buffer[KEEP + READ_MAX];
};

static volatile sig_atomic_t stopped;

static void on_signal(int number) {
    (void)number;
    stopped = 1;
}

static void watch(struct fan *f, int index, int operation, uint32_t events) {
    struct epoll_event e = {.events = events, .data.u32 = (uint32_t)index};
    if (epoll_ctl(f->epoll, operation, f->all[index].fd, &e)) die("epoll_ctl");
}

static void drop(struct fan *f, struct conn *c) {
    if (c->state == CONNECTING || c->state == HEAD) {
        f->failed++;
        f->pending--;
    } else {
        f->lost++;
    }
    close(c->fd);
    c->fd = -1;
    c->state = CLOSED;
}

static void start_next(struct fan *f) {
    int index = f->started++;
    struct conn *c = &f->all[index];
    struct sockaddr_in address = loopback(f->port);
    c->fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
    if (c->fd < 0) die("socket");
    if (f->rcvbuf) set_option(c->fd, SOL_SOCKET, SO_RCVBUF, f->rcvbuf);
    if (f->expect) c->seen = calloc((size_t)f->expect / 64 + 1, sizeof *c->seen);
    c->state = CONNECTING;
    f->pending++;
    if (connect(c->fd, (struct sockaddr *)&address, sizeof address) && errno != EINPROGRESS) {
        drop(f, c);
        return;
    }
    watch(f, index, EPOLL_CTL_ADD, EPOLLOUT);
}

static void send_request(struct fan *f, int index) {
    struct conn *c = &f->all[index];
    char request[REQUEST_MAX], path[REQUEST_MAX / 2];
    const char *mark = strstr(f->path, "%d");
    if (mark)
        snprintf(path, sizeof path, "%.*s%d%s", (int)(mark - f->path), f->path, index % f->topics, mark + 2);
    else
        snprintf(path, sizeof path, "%s", f->path);
    int n = snprintf(request, sizeof request, "GET %s HTTP/1.1\r\nHost: 127.0.0.1:%d\r\n", path, f->port);
    const char *bearer = getenv("BENCH_BEARER");
    if (bearer) n += snprintf(request + n, sizeof request - (size_t)n, "Authorization: Bearer %s\r\n", bearer);
    for (int i = 0; f->headers[i]; i++)
        n += snprintf(request + n, sizeof request - (size_t)n, "%s\r\n", f->headers[i]);
    n += snprintf(request + n, sizeof request - (size_t)n, "%s\r\n",
                  f->websocket ? "Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
                                 "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
                               : "Accept: text/event-stream\r\n");
    if (write(c->fd, request, (size_t)n) != n) {
        drop(f, c);
        return;
    }
    c->state = HEAD;
    watch(f, index, EPOLL_CTL_MOD, EPOLLIN);
}

static void become_ready(struct fan *f, struct conn *c) {
    c->state = READY;
    if (++f->ready < f->conns) return;
    f->ready_at = now_ns();
    puts("ready");
    fflush(stdout);
}

// The start of the body, or NULL if the response head is not complete or not the one that was hoped for.
static char *take_head(struct fan *f, struct conn *c, char *from, size_t length) {
    char *end = memmem(from, length, "\r\n\r\n", 4);
    if (!end) {
        if (length > KEEP) {
            drop(f, c);
            return NULL;
        }
        memcpy(c->keep, from, length);
        c->keep_length = (uint32_t)length;
        return NULL;
    }
    if (strncmp(from, f->websocket ? "HTTP/1.1 101" : "HTTP/1.1 200", 12)) {
        if (f->failed < 3) fprintf(stderr, "refused: %.60s\n", from);
        drop(f, c);
        return NULL;
    }
    c->state = OPEN;
    f->pending--;
    f->opened++;
    if (!f->wait_live) become_ready(f, c);
    return end + 4;
}

static void count_event(struct fan *f, struct conn *c, int64_t sent, int64_t sequence, int64_t now) {
    if (f->expect) {
        uint64_t slot = (uint64_t)(sequence - f->first);
        if (slot >= (uint64_t)f->expect) {
            f->foreign++;
            return;
        }
        uint64_t bit = 1ULL << (slot & 63);
        if (c->seen[slot >> 6] & bit) {
            f->duplicates++;
            return;
        }
        c->seen[slot >> 6] |= bit;
    }
    if (++c->count == (uint32_t)f->expect) f->complete++;
    if (!f->messages++) {
        f->first_at = now;
        f->cpu = cpu_seconds();
    }
    f->last_at = now;
    if (c - f->all >= f->stall) histogram_add(&f->latency, (now - sent) / 1000);
}

static void answer_pings(struct conn *c, const char *from, size_t length) {
    static const unsigned char pong[] = {0x8A, 0x80, 0, 0, 0, 0};  // masked and empty (RFC 6455, 5.5.3)
    // 0x89 does not occur in ASCII text, and the second byte of a frame's length is never followed by 0x00 here.
    for (const char *p = from; (p = memmem(p, length - (size_t)(p - from), "\x89\x00", 2)); p += 2)
        if (write(c->fd, pong, sizeof pong) < 0) return;
}

static void take_body(struct fan *f, struct conn *c, const char *from, size_t length) {
    static const char caught_up[] = "caught_up\"";
    int64_t now = now_ns(), sent, sequence;
    const char *p = from, *end = from + length;
    while ((p = memchr(p, '~', (size_t)(end - p)))) {
        if (end - p < STAMP_LENGTH) break;
        if (read_stamp(p, &sent, &sequence)) {
            count_event(f, c, sent, sequence, now);
            p += STAMP_LENGTH;
        } else {
            p++;
        }
    }
    const char *keep = p ? p : end;
    if (c->state == OPEN) {
        if (memmem(from, length, caught_up, sizeof caught_up - 1))
            become_ready(f, c);
        else if (end - keep < (long)sizeof caught_up)
            keep = length < sizeof caught_up ? from : end - sizeof caught_up;
    }
    if (f->pong) answer_pings(c, from, length);
    c->keep_length = (uint32_t)(end - keep);
    memcpy(c->keep, keep, c->keep_length);
}

static void on_readable(struct fan *f, struct conn *c) {
    size_t kept = c->keep_length;
    memcpy(f->buffer, c->keep, kept);
    ssize_t got = read(c->fd, f->buffer + kept, (size_t)f->read);
    if (got < 0 && (errno == EAGAIN || errno == EINTR)) return;
    if (got <= 0) {
        drop(f, c);
        return;
    }
    f->bytes += got;
    c->keep_length = 0;
    char *body = f->buffer;
    size_t length = kept + (size_t)got;
    if (c->state == HEAD && !(body = take_head(f, c, f->buffer, length))) return;
    take_body(f, c, body, length - (size_t)(body - f->buffer));
}

static void stall_or_resume(struct fan *f, int64_t now) {
    if (!f->resume_at && f->stall_seconds > 0 && f->messages >= f->stall_after) {
        for (; f->stalled < f->stall; f->stalled++) watch(f, f->stalled, EPOLL_CTL_DEL, 0);
        f->resume_at = now + (int64_t)(f->stall_seconds * 1e9);
    } else if (f->stalled && now >= f->resume_at) {
        while (f->stalled) watch(f, --f->stalled, EPOLL_CTL_ADD, EPOLLIN);
    }
}

static bool is_over(const struct fan *f, int64_t now) {
    if (stopped || now - f->began > (int64_t)(f->seconds * 1e9)) return true;
    if (f->started == f->conns && f->failed + f->lost == f->conns) return true;
    if (f->end == AT_READY && f->ready + f->failed >= f->conns && f->complete >= (f->expect ? f->ready : 0)) return true;
    if (f->end != AT_EVENTS) return false;
    return f->total ? f->messages >= f->total : f->expect && f->complete >= f->conns;
}

static void run(struct fan *f) {
    struct epoll_event events[EVENTS];
    f->began = now_ns();
    while (!is_over(f, now_ns())) {
        while (f->started < f->conns && f->pending < f->burst) start_next(f);
        int n = epoll_wait(f->epoll, events, EVENTS, 20);
        for (int i = 0; i < n; i++) {
            struct conn *c = &f->all[events[i].data.u32];
            if (c->state == CONNECTING)
                send_request(f, (int)events[i].data.u32);
            else if (c->state != CLOSED)
                on_readable(f, c);
        }
        if (f->stall) stall_or_resume(f, now_ns());
    }
}

static void report(struct fan *f) {
    double span = f->messages > 1 ? (double)(f->last_at - f->first_at) / 1e9 : 0;
    double cpu = f->messages ? cpu_seconds() - f->cpu : 0;
    long missing = f->expect ? f->expect * f->conns - f->messages : f->total ? f->total - f->messages : 0;
    printf("{\"conns\":%d,\"opened\":%d,\"ready\":%d,\"failed\":%d,\"lost\":%d,\"ready_s\":%.4f,", f->conns, f->opened,
           f->ready, f->failed, f->lost, f->ready_at ? (double)(f->ready_at - f->began) / 1e9 : -1);
    printf("\"messages\":%ld,\"complete\":%d,\"missing\":%ld,\"duplicates\":%ld,\"foreign\":%ld,\"bytes\":%ld,",
           f->messages, f->complete, missing, f->duplicates, f->foreign, f->bytes);
    printf("\"span_s\":%.4f,\"per_s\":%.0f,\"client_cpu\":%.2f,", span, span > 0 ? (double)f->messages / span : 0,
           span > 0 ? cpu / span : 0);
    printf("\"last_s\":%.4f,\"p50_ms\":%.3f,\"p99_ms\":%.3f,\"max_ms\":%.3f}\n",
           f->messages ? (double)(f->last_at - f->began) / 1e9 : -1, histogram_ms(&f->latency, 0.5),
           histogram_ms(&f->latency, 0.99), (double)f->latency.max / 1000.0);
}

static void configure(struct fan *f, int argc, char **argv) {
    const char *end = option(argc, argv, "end", "events");
    f->websocket = !strcmp(option(argc, argv, "mode", "ws"), "ws");
    f->wait_live = option_number(argc, argv, "live", 0);
    f->pong = option_number(argc, argv, "pong", 0);
    f->port = (int)option_number(argc, argv, "port", 8000);
    f->path = option(argc, argv, "path", "/");
    f->conns = (int)option_number(argc, argv, "conns", 1);
    f->burst = (int)option_number(argc, argv, "burst", 64);
    f->topics = (int)option_number(argc, argv, "topics", 1);
    f->expect = option_number(argc, argv, "expect", 0);
    f->first = option_number(argc, argv, "first", 0);
    f->total = option_number(argc, argv, "total", 0);
    f->end = !strcmp(end, "ready") ? AT_READY : !strcmp(end, "signal") ? AT_SIGNAL : AT_EVENTS;
    f->seconds = option_real(argc, argv, "seconds", 60);
    f->stall = (int)option_number(argc, argv, "stall", 0);
    f->stall_after = option_number(argc, argv, "stall_after", 1);
    f->stall_seconds = option_real(argc, argv, "stall_seconds", 0);
    f->rcvbuf = (int)option_number(argc, argv, "rcvbuf", 0);
    f->read = (int)option_number(argc, argv, "read", READ_MAX);
    if (f->read < 1 || f->read > READ_MAX) die("read");
    for (int i = 1, n = 0; i < argc && n < 15; i++)
        if (!strncmp(argv[i], "header=", 7)) f->headers[n++] = argv[i] + 7;
}

int main(int argc, char **argv) {
    struct fan *f = calloc(1, sizeof *f);
    struct rlimit files;
    getrlimit(RLIMIT_NOFILE, &files);
    files.rlim_cur = files.rlim_max;
    setrlimit(RLIMIT_NOFILE, &files);
    signal(SIGTERM, on_signal);
    signal(SIGPIPE, SIG_IGN);
    configure(f, argc, argv);
    f->all = calloc((size_t)f->conns, sizeof *f->all);
    f->epoll = epoll_create1(0);
    if (!f->all || f->epoll < 0) die("set-up");
    run(f);
    report(f);
    return 0;
}
