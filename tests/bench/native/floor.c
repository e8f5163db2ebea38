// floor: what a fan-out of one write() a message a connection can reach on this machine: a C loop and nothing else.
//
// Takes port=N. Holds every GET (answered as SSE, or as a WebSocket if it asks for the upgrade); GET /pub?n=M writes M
// stamped events, of the size that the service's have, to all of them. Nothing is stored, parsed or checked.
#define _GNU_SOURCE
#include "bench.h"

#include <sys/epoll.h>
#include <unistd.h>

enum { HELD_MAX = 100000, MESSAGE_MAX = 1024 };

struct holder {
    int listener, epoll, count;
    struct {
        int fd;
        bool websocket;
    } held[HELD_MAX];
};

static const char SSE_HEAD[] =
    "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n";
static const char WEBSOCKET_HEAD[] = "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                                     "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n";
static const char DONE[] = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";

static void must_write(int fd, const char *from, size_t length) {
    if (write(fd, from, length) != (ssize_t)length) die("write");
}

static int event_json(char *to, long n) {
    char stamp[STAMP_LENGTH + 1] = {0};
    write_stamp(stamp, now_ns(), (uint32_t)n);
    return snprintf(to, MESSAGE_MAX,
                    "{\"id\":\"abcdefgh-%ld\",\"topic\":\"bench/t\",\"type\":\"log\",\"time\":\"2026-11-23T05:50:09.123Z\","
                    "\"prev\":\"abcdefgh-%ld\",\"data\":{\"t\":\"%s\",\"message\":\"%091d\"}}",
                    n + 1, n, stamp, 0);
}

static void publish(struct holder *h, long count) {
    char json[MESSAGE_MAX], text[MESSAGE_MAX + 64], body[MESSAGE_MAX + 64], chunk[MESSAGE_MAX + 128];
    for (long n = 0; n < count; n++) {
        int length = event_json(json, n);
        int text_length = snprintf(text, sizeof text, "\x81\x7e%c%c%s", '?', '?', json);
        text[2] = (char)(length >> 8);
        text[3] = (char)(length & 255);
        int body_length = snprintf(body, sizeof body, "event: log\nid: abcdefgh-%ld\ndata: %s\n\n", n + 1, json);
        int chunk_length = snprintf(chunk, sizeof chunk, "%x\r\n%s\r\n", body_length, body);
        for (int i = 0; i < h->count; i++) {
            if (h->held[i].websocket)
                must_write(h->held[i].fd, text, (size_t)text_length);
            else
                must_write(h->held[i].fd, chunk, (size_t)chunk_length);
        }
    }
}

static void forget(struct holder *h, int fd) {
    for (int i = 0; i < h->count; i++)
        if (h->held[i].fd == fd) h->held[i] = h->held[--h->count];
    close(fd);
}

static void on_request(struct holder *h, int fd) {
    char request[8192];
    ssize_t n = read(fd, request, sizeof request - 1);
    if (n <= 0) {
        forget(h, fd);
        return;
    }
    request[n] = 0;
    const char *count = strstr(request, "n=");
    if (!strncmp(request, "GET /pub", 8)) {
        publish(h, count ? strtol(count + 2, NULL, 10) : 0);
        must_write(fd, DONE, sizeof DONE - 1);
        return;
    }
    bool websocket = strstr(request, "Upgrade: websocket");
    if (h->count == HELD_MAX) die("too many connections");
    h->held[h->count].fd = fd;
    h->held[h->count++].websocket = websocket;
    must_write(fd, websocket ? WEBSOCKET_HEAD : SSE_HEAD, (websocket ? sizeof WEBSOCKET_HEAD : sizeof SSE_HEAD) - 1);
}

static void on_connect(struct holder *h) {
    int fd = accept(h->listener, NULL, NULL);
    if (fd < 0) die("accept");
    set_option(fd, IPPROTO_TCP, TCP_NODELAY, 1);
    struct epoll_event e = {.events = EPOLLIN, .data.fd = fd};
    if (epoll_ctl(h->epoll, EPOLL_CTL_ADD, fd, &e)) die("epoll_ctl");
}

int main(int argc, char **argv) {
    struct holder *h = calloc(1, sizeof *h);
    struct sockaddr_in address = loopback((int)option_number(argc, argv, "port", 8000));
    h->listener = socket(AF_INET, SOCK_STREAM, 0);
    h->epoll = epoll_create1(0);
    set_option(h->listener, SOL_SOCKET, SO_REUSEADDR, 1);
    if (bind(h->listener, (struct sockaddr *)&address, sizeof address) || listen(h->listener, 4096)) die("listen");
    struct epoll_event e = {.events = EPOLLIN, .data.fd = h->listener};
    if (epoll_ctl(h->epoll, EPOLL_CTL_ADD, h->listener, &e)) die("epoll_ctl");
    for (struct epoll_event events[64];;) {
        int n = epoll_wait(h->epoll, events, 64, -1);
        for (int i = 0; i < n; i++) {
            if (events[i].data.fd == h->listener)
                on_connect(h);
            else
                on_request(h, events[i].data.fd);
        }
    }
}
