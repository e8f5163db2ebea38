/* A disk that is slow or fails, for one file, and a calendar that is set: preloaded, between the service and the kernel.
 *
 * TWINWIRE_FAULTS names a file of six 32-bit integers, which tests write while the service runs: microseconds that each
 * read, write and sync of the database takes longer, the errno with which each read and each write fails (0: none), and
 * seconds by which the calendar is ahead. The database is the file whose name ends in ".db"; its journal is left alone.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

struct faults {
    volatile int read_us, write_us, sync_us, read_errno, write_errno, calendar_s;
};

static const struct faults *control(void) {
    static struct faults *mapped = NULL;
    static int tried = 0;
    if (!tried) {
        tried = 1;
        const char *name = getenv("TWINWIRE_FAULTS");
        int file = name == NULL ? -1 : open(name, O_RDONLY | O_CLOEXEC);
        if (file >= 0) {
            void *found = mmap(NULL, sizeof(struct faults), PROT_READ, MAP_SHARED, file, 0);
            if (found != MAP_FAILED) mapped = found;
            close(file);
        }
    }
    return mapped;
}

static const struct faults *faults(int fd) {
    if (control() == NULL) return NULL;
    char link[64], path[4096];
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t size = readlink(link, path, sizeof path - 1);
    if (size < 3 || strncmp(path + size - 3, ".db", 3) != 0) return NULL;
    return control();
}

#define REAL(name) ((__typeof__(&name))dlsym(RTLD_NEXT, #name))

ssize_t pread64(int fd, void *buffer, size_t size, off64_t offset) {
    const struct faults *now = faults(fd);
    if (now != NULL) {
        if (now->read_us) usleep(now->read_us);
        if (now->read_errno) return errno = now->read_errno, -1;
    }
    return REAL(pread64)(fd, buffer, size, offset);
}

ssize_t pread(int fd, void *buffer, size_t size, off_t offset) { return pread64(fd, buffer, size, offset); }

ssize_t pwrite64(int fd, const void *buffer, size_t size, off64_t offset) {
    const struct faults *now = faults(fd);
    if (now != NULL) {
        if (now->write_us) usleep(now->write_us);
        if (now->write_errno) return errno = now->write_errno, -1;
    }
    return REAL(pwrite64)(fd, buffer, size, offset);
}

ssize_t pwrite(int fd, const void *buffer, size_t size, off_t offset) { return pwrite64(fd, buffer, size, offset); }

int fdatasync(int fd) {
    const struct faults *now = faults(fd);
    if (now != NULL) {
        if (now->sync_us) usleep(now->sync_us);
        if (now->write_errno) return errno = now->write_errno, -1;
    }
    return REAL(fdatasync)(fd);
}

int clock_gettime(clockid_t clock, struct timespec *found) {
    int result = REAL(clock_gettime)(clock, found);
    if (result == 0 && clock == CLOCK_REALTIME && control() != NULL) found->tv_sec += control()->calendar_s;
    return result;
}
