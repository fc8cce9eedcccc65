/* The machine under the program, made to fail: preloaded into the real binary (LD_PRELOAD), it puts the wall clock
 * forward and back, lets time pass at once, and lets the nth write, ftruncate or fsync of some files fail. The program
 * has no hook for it.
 *
 * Time that passes at once is on both clocks. Waits with a deadline go by the kernel's own, on which it does not pass:
 * so those of Rust's locks and channels, which are futexes, are told of that one.
 *
 * What is to happen stands in a file of one page that a test writes and this maps: MACHINE names it. The words of it
 * are described where the test has them, in tests/it/faults/machine.rs; numbers there and here go together. */

#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/futex.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/types.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

enum { WRITE, TRUNCATE, SYNC, KINDS };

struct control {
    _Atomic int64_t ahead_ns;        /* what the wall clock is ahead of the true one */
    _Atomic int64_t kind;            /* which calls fail: of the three above */
    _Atomic int64_t left;            /* so many of them do what they should before the first that fails */
    _Atomic int64_t failing;         /* so many fail then, one after the other; 0: none */
    _Atomic int64_t error;           /* with this errno */
    _Atomic int64_t failed;          /* so many failed */
    _Atomic int64_t counts[KINDS];   /* so many were made, failed ones included */
    _Atomic int64_t times;           /* so often the wall clock was read */
    _Atomic int64_t later[KINDS];    /* so many were made after the first that failed */
    _Atomic int64_t passed_ns;       /* what passed at once: both clocks are ahead by it */
    char padding[256 - 14 * 8];
    char path[1024];                 /* of which files: their paths begin so */
    char whole[8];                   /* "1": or rather, are so */
};

static const int64_t SECOND = 1000000000;
static struct control *control;
static int (*real_clock_gettime)(clockid_t, struct timespec *);
static ssize_t (*real_write)(int, const void *, size_t);
static ssize_t (*real_writev)(int, const struct iovec *, int);
static ssize_t (*real_pwrite)(int, const void *, size_t, off_t);
static int (*real_ftruncate)(int, off_t);
static int (*real_fsync)(int);
static int (*real_fdatasync)(int);
static long (*real_syscall)(long, ...);

static void *next(const char *name)
{
    void *found = dlsym(RTLD_NEXT, name);
    if (!found)
        abort();
    return found;
}

__attribute__((constructor)) static void begin(void)
{
    real_clock_gettime = next("clock_gettime");
    real_write = next("write");
    real_writev = next("writev");
    real_pwrite = next("pwrite64");
    real_ftruncate = next("ftruncate64");
    real_fsync = next("fsync");
    real_fdatasync = next("fdatasync");
    real_syscall = next("syscall");
    const char *name = getenv("MACHINE");
    if (!name)
        return;
    int file = open(name, O_RDWR | O_CLOEXEC);
    void *page = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
    close(file);
    if (page == MAP_FAILED)
        abort();
    control = page;
}

/* Whether this call on this file is one that fails; errno is set then. */
static int fails(int kind, int file)
{
    if (!control || !control->path[0])
        return 0;
    int before = errno;
    char link[32], path[1025];
    snprintf(link, sizeof link, "/proc/self/fd/%d", file);
    ssize_t len = readlink(link, path, sizeof path - 1);
    errno = before;
    if (len < 0)
        return 0;
    path[len] = 0;
    size_t wanted = strlen(control->path);
    if (strncmp(path, control->path, wanted) || (control->whole[0] && (size_t)len != wanted))
        return 0;
    atomic_fetch_add(&control->counts[kind], 1);
    if (control->failed)
        atomic_fetch_add(&control->later[kind], 1);
    if (!control->failing || control->kind != kind || atomic_fetch_sub(&control->left, 1) > 0)
        return 0;
    if (atomic_fetch_sub(&control->failing, 1) <= 0) {
        control->failing = 0;
        return 0;
    }
    atomic_fetch_add(&control->failed, 1);
    errno = control->error;
    return 1;
}

ssize_t write(int file, const void *from, size_t len)
{
    return fails(WRITE, file) ? -1 : real_write(file, from, len);
}

ssize_t writev(int file, const struct iovec *parts, int count)
{
    return fails(WRITE, file) ? -1 : real_writev(file, parts, count);
}

ssize_t pwrite64(int file, const void *from, size_t len, off_t at)
{
    return fails(WRITE, file) ? -1 : real_pwrite(file, from, len, at);
}

ssize_t pwrite(int file, const void *from, size_t len, off_t at)
{
    return pwrite64(file, from, len, at);
}

int ftruncate64(int file, off_t len)
{
    return fails(TRUNCATE, file) ? -1 : real_ftruncate(file, len);
}

int ftruncate(int file, off_t len)
{
    return ftruncate64(file, len);
}

int fsync(int file)
{
    return fails(SYNC, file) ? -1 : real_fsync(file);
}

int fdatasync(int file)
{
    return fails(SYNC, file) ? -1 : real_fdatasync(file);
}

/* What a clock is ahead of the kernel's. */
static int64_t ahead_of(clockid_t clock)
{
    if (!control)
        return 0;
    switch (clock) {
    case CLOCK_REALTIME:
    case CLOCK_REALTIME_COARSE:
        return control->ahead_ns + control->passed_ns;
    case CLOCK_MONOTONIC:
    case CLOCK_MONOTONIC_COARSE:
    case CLOCK_BOOTTIME:
        return control->passed_ns;
    default:
        return 0;
    }
}

static struct timespec moved(struct timespec at, int64_t by)
{
    int64_t ns = at.tv_sec * SECOND + at.tv_nsec + by;
    int64_t rest = (ns % SECOND + SECOND) % SECOND;
    return (struct timespec){ (ns - rest) / SECOND, rest };
}

int clock_gettime(clockid_t clock, struct timespec *now)
{
    if (!real_clock_gettime)
        real_clock_gettime = next("clock_gettime");
    int result = real_clock_gettime(clock, now);
    if (result || !control)
        return result;
    if (clock == CLOCK_REALTIME || clock == CLOCK_REALTIME_COARSE)
        atomic_fetch_add(&control->times, 1);
    *now = moved(*now, ahead_of(clock));
    return 0;
}

long syscall(long number, ...)
{
    long given[6];
    va_list list;
    va_start(list, number);
    for (int i = 0; i < 6; i++)
        given[i] = va_arg(list, long);
    va_end(list);
    if (!real_syscall)
        real_syscall = next("syscall");
    struct timespec deadline;
    if (number == SYS_futex && (given[1] & FUTEX_CMD_MASK) == FUTEX_WAIT_BITSET && given[3]) {
        clockid_t clock = given[1] & FUTEX_CLOCK_REALTIME ? CLOCK_REALTIME : CLOCK_MONOTONIC;
        deadline = moved(*(struct timespec *)given[3], -ahead_of(clock));
        if (deadline.tv_sec < 0)
            deadline = (struct timespec){ 0, 0 };
        given[3] = (long)&deadline;
    }
    return real_syscall(number, given[0], given[1], given[2], given[3], given[4], given[5]);
}

int gettimeofday(struct timeval *restrict now, void *restrict zone)
{
    (void)zone;
    struct timespec exact;
    clock_gettime(CLOCK_REALTIME, &exact);
    now->tv_sec = exact.tv_sec;
    now->tv_usec = exact.tv_nsec / 1000;
    return 0;
}

time_t time(time_t *into)
{
    struct timespec exact;
    clock_gettime(CLOCK_REALTIME, &exact);
    if (into)
        *into = exact.tv_sec;
    return exact.tv_sec;
}
