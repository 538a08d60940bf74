/* VLP, the device's side: portable C99, no allocation, no operating system. docs/vlp.md describes the protocol.
 *
 * One vlp_link is one line. Call vlp_begin once after power-up, vlp_receive with whatever the line brings, vlp_samples
 * and its kin whenever there is something to say, and vlp_poll in the main loop. None of them blocks. All of them must
 * be called from one context; an interrupt only puts bytes aside.
 */
#ifndef VLP_H
#define VLP_H

#include <stddef.h>
#include <stdint.h>

/* Longest frame body that is sent or taken, 64 to 1024. */
#ifndef VLP_MTU
#define VLP_MTU 512u
#endif
/* Room for frames that have been sent, so that they can be sent again: at least 2 s of what the device says. */
#ifndef VLP_KEPT_BYTES
#define VLP_KEPT_BYTES 8192u
#endif

#define VLP_WIRE_MAX (VLP_MTU + VLP_MTU / 254u + 2u)
#define VLP_TEXT_MAX 48u
#define VLP_ANSWERS 4u
#define VLP_RESENDS 8u
#define VLP_PROPOSAL_US 5000000u

enum vlp_type {
    VLP_HELLO = 0x01, VLP_DICT = 0x02, VLP_SETTINGS = 0x03, VLP_PART = 0x04,
    VLP_SAMPLES = 0x10, VLP_RESEND = 0x11, VLP_ROWS = 0x12,
    VLP_PING = 0x20, VLP_PONG = 0x21, VLP_COMMAND = 0x30, VLP_ACK = 0x31, VLP_LOG = 0x40, VLP_FIRMWARE = 0x50
};
enum vlp_status { VLP_OK, VLP_UNKNOWN, VLP_OTHER_VERSION, VLP_BAD_ARGUMENT, VLP_BUSY, VLP_REFUSED };
enum vlp_sample { VLP_U8, VLP_I16, VLP_I32, VLP_F32 };
enum { VLP_ACK_WANTED = 1, VLP_AGAIN = 2 };                       /* header flags */
enum { VLP_CODE = 2, VLP_BITS = 4 };                              /* channel flags */
enum { VLP_SAY_HELLO = 0x0001, VLP_SAY_SETTINGS = 0x0002, VLP_PROPOSE = 0x0010, VLP_CONFIRM = 0x0011 };
/* The first byte of a FIRMWARE frame. */
enum { VLP_FW_BEGIN = 1, VLP_FW_PIECE, VLP_FW_CHECK, VLP_FW_START, VLP_FW_KEEP, VLP_FW_BACK };
#define VLP_NO_VALUE_I16 INT16_MIN
#define VLP_NO_VALUE_I32 INT32_MIN

/* One channel: physical = raw * scale + offset. rate_hz 0 = an event. Texts of at most 255 bytes. */
typedef struct {
    uint8_t ch, type, flags;
    float rate_hz, scale, offset, delay_s;
    const char *name, *unit;
} vlp_channel;

/* One setting, in thousandths of its unit. */
typedef struct {
    uint8_t id;
    int32_t low, high, step;
    const char *name, *unit;
} vlp_setting;

/* Two banks of firmware: one runs, the other takes what is sent. `write` and `read` are of the other bank; `prepare` makes
 * room for `size` bytes there; each returns 0, or -1 where it failed. `suits` looks at a whole image whose hash is right:
 * 0 where it is not for this device. `refuses` says why it would not be safe now, or NULL. `start` makes the other bank run
 * on trial from a restart on, soon after this call; the boot loader takes the old one again after VLP_TRIAL_US, at a reset
 * and when the watchdog bites, unless `keep` was called. `back` restarts into the old one at once, -1 where none is on trial. */
typedef struct {
    void *context;
    uint32_t room;
    int (*prepare)(void *context, uint32_t size);
    int (*write)(void *context, uint32_t offset, const uint8_t *bytes, size_t length);
    int (*read)(void *context, uint32_t offset, uint8_t *bytes, size_t length);
    int (*suits)(void *context, uint32_t size);
    const char *(*refuses)(void *context);
    int (*on_trial)(void *context);
    void (*start)(void *context);
    void (*keep)(void *context);
    int (*back)(void *context);
} vlp_banks;
#define VLP_TRIAL_US 60000000u

/* What never changes while the device runs. `banks` NULL: it takes no firmware over the link. `unit` is the serial number as text, filled up with zeros. */
typedef struct {
    uint8_t unit[16];
    const char *name, *firmware;
    uint16_t dictionary;
    const vlp_channel *channels;
    uint8_t channel_count;
    const vlp_setting *settings;
    uint8_t setting_count;
    const vlp_banks *banks;
} vlp_device;

/* The board's part. `write` takes a whole frame and returns its length, or takes nothing and returns 0: a frame that
 * finds no room is kept, and the host asks for it. `refuses` says why a value would not be safe now, or NULL. */
typedef struct {
    void *context;
    uint64_t (*now_us)(void *context);
    size_t (*write)(void *context, const uint8_t *frame, size_t length);
    const char *(*refuses)(void *context, uint8_t setting, int32_t value);
    void (*apply)(void *context, uint8_t setting, int32_t value);
    int32_t (*value)(void *context, uint8_t setting);
} vlp_hal;

/* What the host is told of once and may be asked again. */
typedef struct {
    uint32_t sequence;
    uint8_t used, status, length;
    char text[VLP_TEXT_MAX];
} vlp_answer;

/* What of new firmware has come. */
typedef struct {
    uint32_t size, have;
    uint8_t hash[32], begun, checked, started;
} vlp_coming;

typedef struct {
    const vlp_device *device;
    const vlp_hal *hal;
    uint32_t boot, sequence;
    uint8_t kept[VLP_KEPT_BYTES]; /* records: u16 length, body without check; oldest at `tail` */
    size_t tail, used;
    uint8_t body[VLP_MTU], wire[VLP_WIRE_MAX];
    uint8_t received[VLP_WIRE_MAX];
    size_t received_length;
    uint8_t overrun;
    uint32_t resend_first[VLP_RESENDS], resend_last[VLP_RESENDS];
    uint8_t resends;
    vlp_answer answers[VLP_ANSWERS];
    uint8_t next_answer;
    uint8_t proposed; /* 0 = nothing, else the setting's place + 1 */
    uint16_t proposed_request;
    int32_t proposed_value;
    uint64_t proposed_us;
    vlp_coming coming;
    uint32_t bad_frames, unsent_frames;
} vlp_link;

/* Begin: say HELLO, the dictionary and the settings. `boot` differs from that of the boot before (a counter or noise). */
void vlp_begin(vlp_link *link, const vlp_device *device, const vlp_hal *hal, uint32_t boot);
void vlp_receive(vlp_link *link, const uint8_t *bytes, size_t length);
/* Send again what was asked for, as far as the line takes it. */
void vlp_poll(vlp_link *link);

/* `n` values (1 to 255) of one channel, of the type that the dictionary says, in the machine's byte order; `us` is the
 * device time of the first. Returns 0, or -1 where the frame would be longer than VLP_MTU. An event is one value. */
int vlp_samples(vlp_link *link, uint8_t ch, uint64_t us, const void *values, uint8_t n);
/* `n` rows of `channels` values each: channels `ch`, `ch` + 1 ... of one type and one rate. */
int vlp_rows(vlp_link *link, uint8_t ch, uint8_t channels, uint64_t us, const void *values, uint8_t n);
int vlp_log(vlp_link *link, uint8_t level, const char *text);
/* Tell how the device is set, after somebody has turned a knob. */
void vlp_tell_settings(vlp_link *link);

/* SHA-256 (FIPS 180-4), for images: in pieces, and a digest of 32 bytes at the end. */
typedef struct {
    uint32_t state[8];
    uint64_t length;
    uint8_t block[64];
} vlp_sha256;
void vlp_sha256_begin(vlp_sha256 *sum);
void vlp_sha256_add(vlp_sha256 *sum, const uint8_t *bytes, size_t length);
void vlp_sha256_end(vlp_sha256 *sum, uint8_t digest[32]);

/* The wire, for itself. Lengths: `stuffed` needs length + length / 254 + 1 bytes. vlp_unstuff returns -1 for nonsense. */
uint32_t vlp_crc32c(const uint8_t *bytes, size_t length);
size_t vlp_stuff(const uint8_t *bytes, size_t length, uint8_t *stuffed);
long vlp_unstuff(const uint8_t *stuffed, size_t length, uint8_t *bytes, size_t room);
/* "10.2" with at most three places to thousandths; returns 0 or -1. And back, into at least 16 bytes. */
int vlp_thousandths(const char *text, size_t length, int32_t *value);
void vlp_decimal(int32_t value, char *text);

#endif
