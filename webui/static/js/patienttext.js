// A patient in a line: name, age, number.

import { say } from "./words.js";
import { set } from "./tiles.js";

export const patientText = ({ full_name: name, age, patient_id: id }) =>
  [name, age === null ? "" : say("patient.age", { age }), id].filter(Boolean).join(" · ");

// The banner on a bed's page; `patient` null or undefined: nobody is admitted.
export function showPatient(element, patient) {
  element.dataset.state = patient ? "here" : "none";
  set(element.querySelector(".who"), patient ? patientText(patient) : say("patient.none"));
}
