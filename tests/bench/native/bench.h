// What the benchmark's native programs share: clock, stamps, a histogram, options and sockets.
//
// A stamp marks one event wherever it travels: "~", 19 digits of CLOCK_MONOTONIC nanoseconds at publish, ".", and
// 8 digits of sequence number. The clock is the machine's, so a stamp can be compared in another process.
#ifndef TWINWIRE_BENCH_H
#define TWINWIRE_BENCH_H

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>

enum { STAMP_LENGTH = 1 + 19 + 1 + 8, TIME_DIGITS = 19, SEQUENCE_DIGITS = 8 };

static inline int64_t now_ns(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec * 1000000000LL + t.tv_nsec;
}

static inline double cpu_seconds(void) {
    struct rusage usage;
    getrusage(RUSAGE_SELF, &usage);
    return (double)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) +
           (double)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1e6;
}

static inline _Noreturn void die(const char *what) {
    perror(what);
    exit(1);
}

// Options are name=value arguments; a name may be given more than once (`option_next`).

static inline const char *option(int argc, char **argv, const char *name, const char *otherwise) {
    size_t length = strlen(name);
    for (int i = 1; i < argc; i++)
        if (!strncmp(argv[i], name, length) && argv[i][length] == '=') return argv[i] + length + 1;
    return otherwise;
}

static inline long option_number(int argc, char **argv, const char *name, long otherwise) {
    const char *text = option(argc, argv, name, NULL);
    return text ? strtol(text, NULL, 10) : otherwise;
}

static inline double option_real(int argc, char **argv, const char *name, double otherwise) {
    const char *text = option(argc, argv, name, NULL);
    return text ? strtod(text, NULL) : otherwise;
}

// Stamps

static inline void write_digits(char *to, int digits, int64_t value) {
    while (digits--) {
        to[digits] = (char)('0' + value % 10);
        value /= 10;
    }
}

static inline void write_stamp(char *to, int64_t time, uint32_t sequence) {
    to[0] = '~';
    write_digits(to + 1, TIME_DIGITS, time);
    to[1 + TIME_DIGITS] = '.';
    write_digits(to + 2 + TIME_DIGITS, SEQUENCE_DIGITS, sequence);
}

static inline bool read_digits(const char *from, int digits, int64_t *value) {
    int64_t sum = 0;
    for (int i = 0; i < digits; i++) {
        unsigned digit = (unsigned)from[i] - '0';
        if (digit > 9) return false;
        sum = sum * 10 + digit;
    }
    *value = sum;
    return true;
}

// `from` holds STAMP_LENGTH bytes and starts with "~"; false if it is something else after all.
static inline bool read_stamp(const char *from, int64_t *time, int64_t *sequence) {
    return from[1 + TIME_DIGITS] == '.' && read_digits(from + 1, TIME_DIGITS, time) &&
           read_digits(from + 2 + TIME_DIGITS, SEQUENCE_DIGITS, sequence);
}

// Latencies in microseconds, in buckets that are within 1/128 of the value.

enum { SUB_BITS = 7, SUBS = 1 << SUB_BITS, BUCKETS = 32 * SUBS };

struct histogram {
    uint64_t counts[BUCKETS];
    uint64_t total;
    uint64_t max;
};

static inline void histogram_add(struct histogram *h, int64_t us) {
    uint64_t v = us < 0 ? 0 : (uint64_t)us;
    if (v >> 36) v = (1ULL << 36) - 1;
    int shift = v < SUBS ? 0 : 63 - __builtin_clzll(v) - (SUB_BITS - 1);
    h->counts[(size_t)shift * (SUBS / 2) + (v >> shift)]++;
    h->total++;
    if (v > h->max) h->max = v;
}

// The value in milliseconds that `share` of the entries do not exceed; 0 if there are none.
static inline double histogram_ms(const struct histogram *h, double share) {
    uint64_t rank = (uint64_t)(share * (double)h->total), sum = 0;
    for (size_t i = 0; i < BUCKETS; i++) {
        sum += h->counts[i];
        if (sum > rank) {
            size_t shift = i < SUBS ? 0 : i / (SUBS / 2) - 1;
            return (double)((i - shift * (SUBS / 2)) << shift) / 1000.0;
        }
    }
    return (double)h->max / 1000.0;
}

static inline struct sockaddr_in loopback(int port) {
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    return address;
}

static inline void set_option(int fd, int level, int name, int value) {
    if (setsockopt(fd, level, name, &value, sizeof value)) die("setsockopt");
}

#endif
