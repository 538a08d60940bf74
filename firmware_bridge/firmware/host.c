/* A device for a computer: plays samples from a file (16-bit pairs of flow and pressure, little endian) over stdin and
 * stdout, at 25 Hz, with two settings and two banks of firmware (files, where --banks names a folder; an image begins with
 * "VLPFWIMG" and its version; one whose version begins with "bad" sends no samples). Two ways to run it:
 *
 *   vlp_host [OPTIONS]           in real time; for a pseudo-terminal: socat PTY,link=/tmp/vlp,raw EXEC:./vlp_host
 *   vlp_host --steps [OPTIONS]   in told time, for tests: u64 time in us, u32 length, bytes from the host;
 *                                answered by u32 length, bytes to the host
 *
 * Options: --samples FILE, --refuse TEXT (every setting is refused with these words), --boot N,
 * --room BYTES (what the line takes in each step), --banks FOLDER.
 */
#define _POSIX_C_SOURCE 200809L
#include "vlp.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum { BLOCK = 5, PERIOD_US = 40000, OUT_MAX = 1 << 16 };

static const vlp_channel CHANNELS[] = {
    {0, VLP_I16, 0, 25.0f, 0.002f, 0.0f, 0.0f, "flow", "L/s"},
    {1, VLP_I16, 0, 25.0f, 0.01f, 0.0f, 0.0f, "pressure", "cmH2O"},
    {2, VLP_I16, 0, 0.0f, 0.01f, 0.0f, 0.0f, "set_pressure", "cmH2O"},
    {3, VLP_U8, VLP_CODE, 0.0f, 1.0f, 0.0f, 0.0f, "mode", "Standby|CPAP"}
};
static const vlp_setting SETTINGS[] = {
    {1, 4000, 20000, 200, "target_pressure", "cmH2O"},
    {2, 0, 5000, 1000, "humidity_level", "1"}
};
enum { BANK_ROOM = 1 << 20, MAGIC = 8, VERSION_MAX = 16 };

typedef struct {
    int stepped;
    uint64_t now_us, begun_us;
    int32_t values[3]; /* by the setting's id */
    const char *refusal;
    FILE *samples;
    uint64_t sent; /* rows */
    uint8_t out[OUT_MAX];
    size_t out_length, room;
    const char *folder; /* of the banks; NULL = there are none */
    int running, other_runs_next, trial, restart;
    uint64_t trial_us, restart_us;
    char version[VERSION_MAX + 1];
    vlp_device device;
    vlp_banks banks;
} machine;

static uint64_t real_us(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000u + (uint64_t)now.tv_nsec / 1000u;
}

static uint64_t now_us(void *context)
{
    machine *self = context;
    return self->stepped ? self->now_us : real_us() - self->begun_us;
}

static size_t write_frame(void *context, const uint8_t *frame, size_t length)
{
    machine *self = context;
    if (self->out_length + length > self->room)
        return 0;
    memcpy(self->out + self->out_length, frame, length);
    self->out_length += length;
    return length;
}

static const char *refuses(void *context, uint8_t setting, int32_t value)
{
    machine *self = context;
    (void)setting;
    (void)value;
    return self->refusal;
}

static void apply(void *context, uint8_t setting, int32_t value)
{
    ((machine *)context)->values[setting] = value;
}

static int32_t value_of(void *context, uint8_t setting) { return ((machine *)context)->values[setting]; }

/* --- two banks, as files ---------------------------------------------------------------------------------------- */

static FILE *bank(const machine *self, int number, const char *mode)
{
    char path[512];
    (void)snprintf(path, sizeof path, "%s/bank%d", self->folder, number);
    return fopen(path, mode);
}

static int prepare(void *context, uint32_t size)
{
    machine *self = context;
    FILE *file = bank(self, !self->running, "wb");
    (void)size;
    return file == NULL || fclose(file) != 0 ? -1 : 0;
}

static int write_bank(void *context, uint32_t offset, const uint8_t *bytes, size_t length)
{
    machine *self = context;
    FILE *file = bank(self, !self->running, "r+b");
    int good;
    if (file == NULL)
        return -1;
    good = fseek(file, (long)offset, SEEK_SET) == 0 && fwrite(bytes, 1, length, file) == length;
    return fclose(file) == 0 && good ? 0 : -1;
}

static int read_bank(void *context, uint32_t offset, uint8_t *bytes, size_t length)
{
    machine *self = context;
    FILE *file = bank(self, !self->running, "rb");
    int good;
    if (file == NULL)
        return -1;
    good = fseek(file, (long)offset, SEEK_SET) == 0 && fread(bytes, 1, length, file) == length;
    (void)fclose(file);
    return good ? 0 : -1;
}

static int suits(void *context, uint32_t size)
{
    uint8_t head[MAGIC + VERSION_MAX];
    return size >= sizeof head && read_bank(context, 0, head, sizeof head) == 0 && memcmp(head, "VLPFWIMG", MAGIC) == 0;
}

static const char *not_now(void *context) { return ((machine *)context)->refusal; }
static int on_trial(void *context) { return ((machine *)context)->trial; }

static void restart_soon(machine *self)
{
    self->restart = 1;
    self->restart_us = now_us(self) + 50000u; /* the answer goes out first */
}

static void start_other(void *context)
{
    machine *self = context;
    self->other_runs_next = 1;
    restart_soon(self);
}

static void keep_running(void *context) { ((machine *)context)->trial = 0; }

static int go_back(void *context)
{
    machine *self = context;
    if (!self->trial)
        return -1;
    restart_soon(self);
    return 0;
}

/* What a boot loader does: the other bank where it was told so, the old one again where a trial was not kept. */
static void boot_loader(machine *self)
{
    FILE *file;
    if (self->other_runs_next || self->trial) {
        self->running = !self->running;
        self->trial = self->other_runs_next;
        self->trial_us = now_us(self);
        self->other_runs_next = 0;
    }
    self->restart = 0;
    strcpy(self->version, "1.0");
    file = self->folder == NULL ? NULL : bank(self, self->running, "rb");
    if (file != NULL) {
        char head[MAGIC + VERSION_MAX];
        if (fread(head, 1, sizeof head, file) == sizeof head && memcmp(head, "VLPFWIMG", MAGIC) == 0)
            memcpy(self->version, head + MAGIC, VERSION_MAX);
        (void)fclose(file);
    }
}

static void power_up(machine *self, vlp_link *link, const vlp_hal *hal, uint32_t boot)
{
    static const vlp_device plain = {"CPAP-2301-0001", "VLP example", "1.0", 1, CHANNELS, 4, SETTINGS, 2, NULL};
    const vlp_banks banks = {self, BANK_ROOM, prepare, write_bank, read_bank, suits, not_now, on_trial,
                             start_other, keep_running, go_back};
    boot_loader(self);
    self->device = plain;
    self->device.firmware = self->version;
    self->banks = banks;
    if (self->folder != NULL)
        self->device.banks = &self->banks;
    vlp_begin(link, &self->device, hal, boot);
}

static void watch(machine *self, vlp_link *link)
{
    int ended = self->trial && !self->other_runs_next && now_us(self) - self->trial_us >= VLP_TRIAL_US;
    if (ended || (self->restart && now_us(self) >= self->restart_us))
        power_up(self, link, link->hal, link->boot + 1);
}

/* Send every block that is due by now; the first row stands one period after the start. */
static void sample(machine *self, vlp_link *link)
{
    while (self->samples != NULL && strncmp(self->version, "bad", 3) != 0 && now_us(self) >= (self->sent + BLOCK) * PERIOD_US) {
        int16_t flow[BLOCK], pressure[BLOCK], number;
        uint8_t raw[4 * BLOCK], mode = 1;
        uint64_t us = (self->sent + 1) * PERIOD_US;
        int row;
        if (fread(raw, 1, sizeof raw, self->samples) < sizeof raw) {
            fclose(self->samples);
            self->samples = NULL;
            return;
        }
        for (row = 0; row < BLOCK; row++) {
            flow[row] = (int16_t)(uint16_t)(raw[4 * row] | raw[4 * row + 1] << 8);
            pressure[row] = (int16_t)(uint16_t)(raw[4 * row + 2] | raw[4 * row + 3] << 8);
        }
        (void)vlp_samples(link, 0, us, flow, BLOCK);
        (void)vlp_samples(link, 1, us, pressure, BLOCK);
        if (self->sent % 25 == 0) {
            number = (int16_t)(self->values[1] / 10);
            (void)vlp_samples(link, 2, us, &number, 1);
            (void)vlp_samples(link, 3, us, &mode, 1);
        }
        self->sent += BLOCK;
    }
}

static void flush_out(machine *self)
{
    size_t at = 0;
    while (at < self->out_length) {
        ssize_t written = write(STDOUT_FILENO, self->out + at, self->out_length - at);
        if (written < 0 && errno != EINTR && errno != EAGAIN)
            exit(0); /* the host has gone */
        at += written > 0 ? (size_t)written : 0;
    }
    self->out_length = 0;
}

static int run_steps(machine *self, vlp_link *link)
{
    static uint8_t in[OUT_MAX];
    uint8_t head[12];
    int at;
    while (fread(head, 1, sizeof head, stdin) == sizeof head) {
        uint64_t us = 0;
        uint32_t length = 0;
        for (at = 7; at >= 0; at--)
            us = us << 8 | head[at];
        for (at = 11; at >= 8; at--)
            length = length << 8 | head[at];
        if (length > sizeof in || fread(in, 1, length, stdin) < length)
            return 1;
        self->now_us = us;
        vlp_receive(link, in, length);
        watch(self, link);
        sample(self, link);
        vlp_poll(link);
        for (at = 0; at < 4; at++)
            head[at] = (uint8_t)(self->out_length >> (8 * at));
        fwrite(head, 1, 4, stdout);
        fwrite(self->out, 1, self->out_length, stdout);
        fflush(stdout);
        self->out_length = 0;
    }
    return 0;
}

static int run_live(machine *self, vlp_link *link)
{
    uint8_t in[1024];
    struct pollfd line = {STDIN_FILENO, POLLIN, 0};
    while (self->samples != NULL || self->out_length > 0) {
        if (poll(&line, 1, 5) > 0) {
            ssize_t length = read(STDIN_FILENO, in, sizeof in);
            if (length <= 0)
                return 0;
            vlp_receive(link, in, (size_t)length);
        }
        watch(self, link);
        sample(self, link);
        vlp_poll(link);
        flush_out(self);
    }
    return 0;
}

int main(int count, char **words)
{
    static machine self;
    static vlp_link link;
    vlp_hal hal = {&self, now_us, write_frame, refuses, apply, value_of};
    uint32_t boot = 1;
    int at;
    self.room = OUT_MAX;
    self.values[1] = 10000;
    self.values[2] = 2000;
    for (at = 1; at < count; at++) {
        if (strcmp(words[at], "--steps") == 0) {
            self.stepped = 1;
        } else if (at + 1 < count && strcmp(words[at], "--samples") == 0) {
            self.samples = fopen(words[++at], "rb");
            if (self.samples == NULL) {
                perror(words[at]);
                return 2;
            }
        } else if (at + 1 < count && strcmp(words[at], "--refuse") == 0) {
            self.refusal = words[++at];
        } else if (at + 1 < count && strcmp(words[at], "--boot") == 0) {
            boot = (uint32_t)strtoul(words[++at], NULL, 10);
        } else if (at + 1 < count && strcmp(words[at], "--banks") == 0) {
            self.folder = words[++at];
        } else if (at + 1 < count && strcmp(words[at], "--room") == 0) {
            self.room = (size_t)strtoul(words[++at], NULL, 10);
        } else {
            fprintf(stderr, "vlp_host: unknown option %s\n", words[at]);
            return 2;
        }
    }
    if (self.room > OUT_MAX)
        self.room = OUT_MAX;
    self.begun_us = real_us();
    power_up(&self, &link, &hal, boot);
    return self.stepped ? run_steps(&self, &link) : run_live(&self, &link);
}
