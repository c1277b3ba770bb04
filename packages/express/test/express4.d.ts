/** Express 4 under its alias. The parts that tests use have the types of Express 5. */
declare module "express4" {
  import express = require("express");
  export = express;
}
