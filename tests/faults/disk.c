/* A disk that is slow, fails or is small, and a calendar that is set: preloaded, between the service and the kernel.
 *
 * TWINWIRE_FAULTS names a file of seven 32-bit integers, which tests write while the service runs: microseconds that each
 * read, write and sync of the database takes longer, the errno with which each read and each write fails (0: none),
 * seconds by which the calendar is ahead, and the KiB of a disk that holds the database and what lies beside it (0: as
 * large as it is). The database is the file whose name ends in ".db"; its journal is neither slow nor does it fail.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <time.h>
#include <unistd.h>

struct faults {
    volatile int read_us, write_us, sync_us, read_errno, write_errno, calendar_s, room_kib;
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

/* The files that share the small disk. */
static const char *const ENDS[] = {".db", ".db-wal", ".db-shm", ".db.ballast", ".db.twinwire-part"};
enum { KINDS = sizeof ENDS / sizeof *ENDS };

/* What they take, whose name without its end is the first `stem` characters of `path`, which has room for more. */
static long long used(char *path, size_t stem) {
    struct stat found;
    long long size = 0;
    for (int n = 0; n < KINDS; n++) {
        strcpy(path + stem, ENDS[n]);
        if (stat(path, &found) == 0) size += found.st_size;
    }
    return size;
}

/* Whether this descriptor's file finds no room up to `end`. */
static int is_full(int fd, long long end) {
    if (control() == NULL || !control()->room_kib) return 0;
    char link[64], path[4096];
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t size = readlink(link, path, sizeof path - 32);
    if (size < 0) return 0;
    path[size] = 0;
    for (int n = 0; n < KINDS; n++) {
        size_t length = strlen(ENDS[n]);
        if ((size_t)size < length || strcmp(path + size - length, ENDS[n]) != 0) continue;
        struct stat found;
        if (fstat(fd, &found) != 0 || end <= found.st_size) return 0;
        return end - found.st_size + used(path, size - length) > 1024LL * control()->room_kib;
    }
    return 0;
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
    if (is_full(fd, (long long)offset + (long long)size)) return errno = ENOSPC, -1;
    return REAL(pwrite64)(fd, buffer, size, offset);
}

ssize_t pwrite(int fd, const void *buffer, size_t size, off_t offset) { return pwrite64(fd, buffer, size, offset); }

int posix_fallocate64(int fd, off64_t offset, off64_t size) {
    return is_full(fd, (long long)offset + (long long)size) ? ENOSPC : REAL(posix_fallocate64)(fd, offset, size);
}

int posix_fallocate(int fd, off_t offset, off_t size) { return posix_fallocate64(fd, offset, size); }

int statvfs64(const char *folder, struct statvfs64 *found) {
    int result = REAL(statvfs64)(folder, found);
    char path[4096];
    if (result != 0 || control() == NULL || !control()->room_kib || strlen(folder) > sizeof path - 64) return result;
    strcat(strcpy(path, folder), "/twinwire");
    long long left = 1024LL * control()->room_kib - used(path, strlen(path));
    found->f_bavail = left < 0 ? 0 : left / found->f_frsize;
    return result;
}

int statvfs(const char *folder, struct statvfs *found) { return statvfs64(folder, (struct statvfs64 *)found); }

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
