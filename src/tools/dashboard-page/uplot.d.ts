// Owns the types of uplot.js, which the build makes of the package uplot and puts beside the page.

export { default } from 'uplot'
