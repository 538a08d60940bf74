// The first administrator.

import { asked, byId, live, note, onSubmit, showsPasswords } from "./desk.js";

onSubmit(byId("setup-form"), async ({ code = "", password, ...person }) => {
  const { reason } = await asked("/api/setup", { code, password, person });
  if (reason === undefined) location.assign("/people");
  else note(reason);
});
showsPasswords(byId("show-password"), byId("setup-form"));
live();
