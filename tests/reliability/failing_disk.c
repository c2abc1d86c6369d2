/* A disk that refuses: loaded before libc (LD_PRELOAD), it makes one chosen call on one folder fail.

   Every call that changes something below FAILING_DISK_FOLDER is counted down in the memory that the file
   FAILING_DISK_CONTROL is; the one that reaches zero fails with `error`, and with `lasting` all later ones too. */

#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

struct control {
    int32_t countdown, error, lasting, fired;
    char where[240];
};

static struct control *control;
static const char *folder;

#define REAL(name) ((__typeof__(name) *)dlsym(RTLD_NEXT, #name))

__attribute__((constructor)) static void begin(void) {
    const char *path = getenv("FAILING_DISK_CONTROL");
    folder = getenv("FAILING_DISK_FOLDER");
    if (!path || !folder) return;
    int fd = REAL(open)(path, O_RDWR | O_CLOEXEC);
    if (fd < 0) return;
    void *memory = mmap(NULL, sizeof(struct control), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    if (memory != MAP_FAILED) control = memory;
    close(fd);
}

static int no_room(void) { return control->error == ENOSPC || control->error == EDQUOT; }

static int below(const char *path) {
    size_t length = strlen(folder);
    return strncmp(path, folder, length) == 0 && (path[length] == 0 || path[length] == '/');
}

static int refused(const char *call, const char *path) {
    if (!control || !below(path)) return 0;
    if (!(control->fired && control->lasting)) {
        if (control->countdown <= 0 || __atomic_sub_fetch(&control->countdown, 1, __ATOMIC_SEQ_CST) != 0) return 0;
        control->fired = 1;
        snprintf(control->where, sizeof control->where, "%s %s", call, path + strlen(folder));
    }
    errno = control->error;
    return 1;
}

static int refused_fd(const char *call, int fd) {
    char link[32], path[4096];
    if (!control) return 0;
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t length = readlink(link, path, sizeof path - 1);
    if (length < 0) return 0;
    path[length] = 0;
    return refused(call, path);
}

static int refused_open(const char *path, int flags) {
    if (!control || !(flags & (O_WRONLY | O_RDWR | O_CREAT | O_DIRECTORY))) return 0;
    if (no_room() && access(path, F_OK) == 0) return 0; /* nothing has to be made */
    return refused("open", path);
}

#define OPEN(name)                                                  \
    int name(const char *path, int flags, ...) {                    \
        va_list rest;                                               \
        va_start(rest, flags);                                      \
        mode_t mode = va_arg(rest, mode_t);                         \
        va_end(rest);                                               \
        if (refused_open(path, flags)) return -1;                   \
        return REAL(name)(path, flags, mode);                       \
    }
OPEN(open)
OPEN(open64)

#define ON_FD(type, name, parameters, arguments)                    \
    type name parameters {                                          \
        if (refused_fd(#name, fd)) return -1;                       \
        return REAL(name) arguments;                                \
    }
ON_FD(ssize_t, write, (int fd, const void *data, size_t n), (fd, data, n))
ON_FD(ssize_t, pwrite, (int fd, const void *data, size_t n, off_t at), (fd, data, n, at))
ON_FD(ssize_t, pwrite64, (int fd, const void *data, size_t n, off64_t at), (fd, data, n, at))
ON_FD(int, ftruncate, (int fd, off_t n), (fd, n))
ON_FD(int, ftruncate64, (int fd, off64_t n), (fd, n))
ON_FD(int, fchmod, (int fd, mode_t mode), (fd, mode))
ON_FD(int, fsync, (int fd), (fd))
ON_FD(int, fdatasync, (int fd), (fd))

int rename(const char *from, const char *to) {
    if (refused("rename", to)) return -1;
    return REAL(rename)(from, to);
}

int unlink(const char *path) {
    /* A full disk lets go of what it has. */
    if (control && !no_room() && refused("unlink", path)) return -1;
    return REAL(unlink)(path);
}
