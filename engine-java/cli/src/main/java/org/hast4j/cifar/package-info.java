/** CIFAR-10: where it comes from, and its files. */
package org.hast4j.cifar;
