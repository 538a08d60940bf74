/* Between vlp_link.c, vlp_settings.c and vlp_firmware.c. */
#ifndef VLP_SETTINGS_INSIDE_H
#define VLP_SETTINGS_INSIDE_H

#include "vlp.h"

void vlp_answer_with(vlp_answer *answer, uint8_t status, const char *text);
void vlp_propose(vlp_link *link, uint16_t request, const char *text, size_t length, vlp_answer *answer);
void vlp_confirm(vlp_link *link, uint16_t request, const char *text, size_t length, vlp_answer *answer);
void vlp_firmware_step(vlp_link *link, const uint8_t *payload, size_t length, vlp_answer *answer);

#endif
