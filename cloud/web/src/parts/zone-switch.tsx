import { shownZone, type ZoneChoice } from "../format/zone.ts";
import { Switch } from "./switch.tsx";

interface Props {
  zone: ZoneChoice;
  onChoose(zone: ZoneChoice): void;
}

/** Whose clocks are shown; the plant's only where the server was told its zone. */
export function ZoneSwitch({ zone, onChoose }: Props) {
  const options: [ZoneChoice, string][] = [
    ["local", "Local"],
    ["utc", "UTC"],
  ];
  if (shownZone.siteName || zone === "site") options.push(["site", "Site"]);
  return <Switch label="Time zone" id="zone" options={options} chosen={zone} onChoose={onChoose} />;
}
