/** The method: synthesis, calibration, fine-tuning, and what strings them together. */
package org.hast4j.hast;
