/* LD_PRELOAD: what a process does to the files of one folder, in order, so that a power cut can be played at any point of it.

   RECORD_FOLDER names the folder, RECORD_TO the journal. An entry is a header (below) and `size` bytes: the path of an open
   ('o'), the data of a write ('w'); a truncation ('t') has its length in `offset`; 's' is a sync that has returned, 'c' a close,
   'u' an unlink (its path as data). What SQLite maps (-shm) is not recorded: it does not outlive the power. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

struct entry { uint8_t what; uint8_t pad[3]; int32_t fd; int64_t offset; int64_t size; };

static pthread_mutex_t turn = PTHREAD_MUTEX_INITIALIZER;
static int journal = -1;
static char followed[4096]; /* by descriptor: 1 = of the folder */

#define REAL(type, name) static type real; if (!real) real = (type)dlsym(RTLD_NEXT, name)
typedef int (*open_t)(const char *, int, ...);
typedef int (*fd_t)(int);
typedef ssize_t (*write_t)(int, const void *, size_t);
typedef ssize_t (*pwrite_t)(int, const void *, size_t, off_t);
typedef int (*truncate_t)(int, off_t);
typedef int (*path_t)(const char *);

static void note(char what, int fd, int64_t offset, const void *data, size_t size) {
    REAL(write_t, "write");
    struct entry one = { .what = (uint8_t)what, .fd = fd, .offset = offset, .size = (int64_t)size };
    if (real(journal, &one, sizeof one) != sizeof one || (size && real(journal, data, size) != (ssize_t)size)) abort();
}

static int within(const char *path) {
    const char *folder = getenv("RECORD_FOLDER");
    return folder && !strncmp(path, folder, strlen(folder));
}

static int opened(int fd, const char *path, int flags) {
    if (fd < 0 || fd >= (int)sizeof followed || !within(path)) return fd;
    struct stat seen;
    if (fstat(fd, &seen) || !S_ISREG(seen.st_mode)) return fd;
    pthread_mutex_lock(&turn);
    if (journal < 0) {
        REAL(open_t, "open");
        journal = real(getenv("RECORD_TO"), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
        if (journal < 0) abort();
    }
    followed[fd] = 1;
    note('o', fd, flags & O_TRUNC ? 0 : -1, path, strlen(path));
    pthread_mutex_unlock(&turn);
    return fd;
}

#define OPENED(name) \
    int name(const char *path, int flags, ...) { \
        REAL(open_t, #name); \
        va_list more; va_start(more, flags); int mode = va_arg(more, int); va_end(more); \
        return opened(real(path, flags, mode), path, flags); \
    }
OPENED(open)
OPENED(open64)

static int of_folder(int fd) { return fd >= 0 && fd < (int)sizeof followed && followed[fd]; }

int close(int fd) {
    REAL(fd_t, "close");
    if (!of_folder(fd)) return real(fd);
    pthread_mutex_lock(&turn);
    followed[fd] = 0;
    note('c', fd, 0, "", 0);
    int done = real(fd);
    pthread_mutex_unlock(&turn);
    return done;
}

ssize_t write(int fd, const void *data, size_t size) {
    REAL(write_t, "write");
    if (!of_folder(fd)) return real(fd, data, size);
    pthread_mutex_lock(&turn);
    ssize_t done = real(fd, data, size);
    if (done > 0) note('w', fd, lseek(fd, 0, SEEK_CUR) - done, data, (size_t)done);
    pthread_mutex_unlock(&turn);
    return done;
}

#define WRITTEN(name) \
    ssize_t name(int fd, const void *data, size_t size, off_t offset) { \
        REAL(pwrite_t, #name); \
        if (!of_folder(fd)) return real(fd, data, size, offset); \
        pthread_mutex_lock(&turn); \
        ssize_t done = real(fd, data, size, offset); \
        if (done > 0) note('w', fd, offset, data, (size_t)done); \
        pthread_mutex_unlock(&turn); \
        return done; \
    }
WRITTEN(pwrite)
WRITTEN(pwrite64)

#define TRUNCATED(name) \
    int name(int fd, off_t length) { \
        REAL(truncate_t, #name); \
        if (!of_folder(fd)) return real(fd, length); \
        pthread_mutex_lock(&turn); \
        int done = real(fd, length); \
        if (!done) note('t', fd, length, "", 0); \
        pthread_mutex_unlock(&turn); \
        return done; \
    }
TRUNCATED(ftruncate)
TRUNCATED(ftruncate64)

/* The mark of a sync comes after it has returned; what others write meanwhile stands before it and counts as synced no sooner
   than it is: so the mark names the place in the journal at which the sync began. */
#define SYNCED(name) \
    int name(int fd) { \
        REAL(fd_t, #name); \
        if (!of_folder(fd)) return real(fd); \
        pthread_mutex_lock(&turn); \
        int64_t began = lseek(journal, 0, SEEK_CUR); \
        pthread_mutex_unlock(&turn); \
        int done = real(fd); \
        pthread_mutex_lock(&turn); \
        if (!done) note('s', fd, began, "", 0); \
        pthread_mutex_unlock(&turn); \
        return done; \
    }
SYNCED(fsync)
SYNCED(fdatasync)

int unlink(const char *path) {
    REAL(path_t, "unlink");
    if (!within(path) || journal < 0) return real(path);
    pthread_mutex_lock(&turn);
    int done = real(path);
    if (!done) note('u', -1, 0, path, strlen(path));
    pthread_mutex_unlock(&turn);
    return done;
}
