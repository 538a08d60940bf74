/* Settings in two steps: what is proposed is echoed, and done when the echo is confirmed. */
#include "vlp_settings.h"

#include <string.h>

void vlp_answer_with(vlp_answer *answer, uint8_t status, const char *text)
{
    size_t length = strlen(text);
    answer->status = status;
    answer->length = (uint8_t)(length < VLP_TEXT_MAX ? length : VLP_TEXT_MAX);
    memcpy(answer->text, text, answer->length);
}

/* "name=value" to a setting's place and a value; -1 where there is no such setting, -2 for a value out of its range. */
static int wish_of(const vlp_link *link, const char *text, size_t length, int32_t *value)
{
    const char *equals = memchr(text, '=', length);
    size_t name = equals ? (size_t)(equals - text) : 0;
    uint8_t place;
    for (place = 0; equals && place < link->device->setting_count; place++) {
        const vlp_setting *setting = &link->device->settings[place];
        if (strlen(setting->name) != name || memcmp(setting->name, text, name) != 0)
            continue;
        if (vlp_thousandths(equals + 1, length - name - 1, value) != 0)
            return -2;
        if (*value < setting->low || *value > setting->high || (*value - setting->low) % setting->step != 0)
            return -2;
        return place;
    }
    return -1;
}

static void echo(const vlp_setting *setting, int32_t value, vlp_answer *answer)
{
    char number[16];
    size_t name = strlen(setting->name), digits;
    vlp_decimal(value, number);
    digits = strlen(number);
    if (name + 1 + digits > VLP_TEXT_MAX) { /* cut, so that it never compares equal */
        vlp_answer_with(answer, VLP_REFUSED, "name too long");
        return;
    }
    memcpy(answer->text, setting->name, name);
    answer->text[name] = '=';
    memcpy(answer->text + name + 1, number, digits);
    answer->length = (uint8_t)(name + 1 + digits);
    answer->status = VLP_OK;
}

void vlp_propose(vlp_link *link, uint16_t request, const char *text, size_t length, vlp_answer *answer)
{
    int32_t value = 0;
    int place = wish_of(link, text, length, &value);
    const char *why;
    link->proposed = 0;
    if (place < 0) {
        vlp_answer_with(answer, place == -1 ? VLP_UNKNOWN : VLP_BAD_ARGUMENT, place == -1 ? "no such setting" : "out of range");
        return;
    }
    why = link->hal->refuses(link->hal->context, link->device->settings[place].id, value);
    if (why != NULL) {
        vlp_answer_with(answer, VLP_REFUSED, why);
        return;
    }
    link->proposed = (uint8_t)(place + 1);
    link->proposed_request = request;
    link->proposed_value = value;
    link->proposed_us = link->hal->now_us(link->hal->context);
    echo(&link->device->settings[place], value, answer);
}

void vlp_confirm(vlp_link *link, uint16_t request, const char *text, size_t length, vlp_answer *answer)
{
    int32_t value = 0;
    int place = wish_of(link, text, length, &value);
    uint8_t proposed = link->proposed;
    const char *why;
    link->proposed = 0;
    if (proposed == 0 || link->hal->now_us(link->hal->context) - link->proposed_us > VLP_PROPOSAL_US) {
        vlp_answer_with(answer, VLP_REFUSED, "nothing proposed");
        return;
    }
    if (request != link->proposed_request || place + 1 != proposed || value != link->proposed_value) {
        vlp_answer_with(answer, VLP_REFUSED, "not what was proposed");
        return;
    }
    why = link->hal->refuses(link->hal->context, link->device->settings[place].id, value); /* it may have changed */
    if (why != NULL) {
        vlp_answer_with(answer, VLP_REFUSED, why);
        return;
    }
    link->hal->apply(link->hal->context, link->device->settings[place].id, value);
    echo(&link->device->settings[place], value, answer);
}
