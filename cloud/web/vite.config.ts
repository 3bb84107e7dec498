import { defineConfig } from "vite";

// Everything is a file of our own origin, so that `default-src 'self'` holds without an exception:
// nothing is inlined, no polyfill script is injected, addresses are relative to the page.
export default defineConfig({
  base: "./",
  build: {
    outDir: "dist.new",
    emptyOutDir: true,
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
    target: ["chrome123", "firefox128", "safari17.5"],
    reportCompressedSize: false,
  },
  oxc: { jsx: { runtime: "automatic", importSource: "preact" } },
});
