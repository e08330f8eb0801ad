// Masks from files: one file goes to the frame that is shown, several to the frames in their names.

import { upload } from "./api.js";

/** The frame a file's name speaks of: 00012.png, mask_12.png; null if none. */
export function frameOf(name) {
  const digits = /(\d+)\D*\.[^.]+$/.exec(name)?.[1];
  return digits === undefined ? null : Number(digits);
}

export function createImport({ store, actions, status }) {
  return async (files) => {
    const { video, frame } = store.values;
    let imported = 0;
    let told = [];
    for (const file of files) {
      const target = files.length > 1 ? frameOf(file.name) : frame;
      if (target === null || target >= video.frames) {
        status.complain(`${file.name}: its name tells no frame from 0 to ${video.frames - 1}.`);
        return;
      }
      const name = encodeURIComponent(file.name);
      const path = `/api/videos/${video.id}/import?format=auto&frame=${target}&name=${name}`;
      try {
        const state = await actions.unsaved(() =>
          upload(path, file, { revision: store.values.video.revision }),
        );
        actions.adopt(state);
        told = state.imported ?? [];
        imported += 1;
      } catch (error) {
        if (error.body?.state) actions.adopt(error.body.state);
        status.complain(`${file.name}: ${error.message}`);
        return;
      }
    }
    const line = imported === 1 ? `${files[0].name} imported` : `${imported} files imported`;
    status.say(imported === 1 && told.length ? `${line}: ${[told].flat().join("; ")}` : `${line}.`);
  };
}
