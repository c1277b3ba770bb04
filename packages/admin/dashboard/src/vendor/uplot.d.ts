// Types of dist/dashboard/vendor/uplot.js, which scripts/copy-dashboard.js makes of uPlot.
export { default } from "uplot";
